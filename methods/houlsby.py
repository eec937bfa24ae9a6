"""Houlsby adapters: two bottlenecks with a skip in every block, and all LayerNorms train.

Paper: arXiv 1902.00751, section 2.1; code: google-research/adapter-bert@1a31fc6, modeling.py.

    a(u) = u + W_up GELU(W_down u + b) + b'        sub-layer: LayerNorm(x + a(sublayer(x)))

One adapter after the attention output projection and its dropout, one after the feed-forward output
projection and its dropout, each before the residual addition. GELU is the tanh approximation. Weights
start from a normal distribution truncated at two standard deviations, with the released code's 1e-3 (the
paper says 1e-2), biases at zero: near identity at step 0, not exactly. Beside the adapters every
LayerNorm trains, the embeddings' included; the pooler stays frozen. Most later counts, the LoRA paper's
too, leave the LayerNorms out: ``layer_norms=False`` gives that variant.

Other architectures: on pre-norm blocks the adapters keep their place, x <- x + a(sublayer(LN(x))), which
is the LoRA paper's AdapterH on GPT-2; RMSNorms train like LayerNorms; cross-attention gets no adapter (two
per block). Where the model applies dropout as a function (BART, OPT) it follows the adapter instead of
coming before it: the same function in evaluation. Learning rate: their README
trains MRPC at 3e-4 for 5 epochs; 1e-3 is for the shorter runs here. Searched: the paper's sizes 8, 64 and
256, and rates around its 3e-4 and 3e-3 (its 3e-5 is left out).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import (
    BOTTLENECK,
    Card,
    Choice,
    Layers,
    LogUniform,
    Method,
    Options,
    SearchSpace,
    Work,
    at,
    bottleneck_chain,
    bottleneck_size,
)

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


class HoulsbyOptions(Options):
    """Options of ``houlsby``."""

    bottleneck: int = Field(64, ge=1, description="inner dimension m of each adapter")
    layer_norms: bool = Field(True, description="train every LayerNorm too, as the paper does")
    init_std: float = Field(1e-3, ge=0, description="standard deviation of the initial weights")
    layers: Layers = None


def work(geometry: Geometry, options: HoulsbyOptions) -> Work:
    """4dm per token for each of the two adapters of a block; the LayerNorms train."""
    layers = geometry.within(options.layers).layers
    adapters = [(bottleneck_chain(geometry.hidden, options.bottleneck),)] * layers
    return Work(
        beside={"attention_output": adapters, "feed_forward_output": adapters},
        vectors=frozenset({"norm"} if options.layer_norms else ()),
        layers=options.layers,
    )


class Houlsby(Method[HoulsbyOptions]):
    """Two serial adapters per block."""

    name = "houlsby"
    options = HoulsbyOptions
    served = BOTTLENECK
    card = Card(
        summary="Two bottleneck adapters per block, before each residual addition; LayerNorms train too.",
        source="arXiv 1902.00751; google-research/adapter-bert@1a31fc6",
        places=at("adapter", "attention_output", "feed_forward_output")
        | at("trains", "attention_norm", "feed_forward_norm"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"bottleneck": Choice((8, 64, 256))}),
        starts_at_base=False,
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: HoulsbyOptions) -> Injection:
        """Wrap both sub-layer outputs of every block."""
        from methods.core import Injection, Swap
        from methods.modules.houlsby import HoulsbyAdapter, bottleneck

        width, anatomy = anatomy.width, anatomy.within(options.layers)
        norms = anatomy.trainable(anatomy.norm_parameters()) if options.layer_norms else {}
        attention, feed_forward = anatomy.sites("attention_output"), anatomy.sites("feed_forward_output")
        injection = Injection(options)
        for pair in zip(attention, feed_forward, strict=True):
            for site in pair:
                adapter = bottleneck(width, options.bottleneck, options.init_std, site.like())
                injection.changes.append(Swap(site, HoulsbyAdapter(site.module, adapter)))
                injection.trained |= {f"{site.path}.adapter.{n}": p for n, p in adapter.named_parameters()}
        injection.trained |= norms
        return injection

    def count(self, geometry: Geometry, options: HoulsbyOptions) -> dict[str, int]:
        """2L(2dm + m + d), and all LayerNorms."""
        geometry = geometry.within(options.layers)
        parts = {"adapters": 2 * geometry.layers * bottleneck_size(geometry.hidden, options.bottleneck)}
        return parts | ({"layer_norms": geometry.norms} if options.layer_norms else {})
