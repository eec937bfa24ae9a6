"""Pfeiffer adapters: one bottleneck per block, inside the feed-forward sub-layer's normalisation.

Paper: arXiv 2005.00247 (AdapterFusion), figure 5; code: adapter-hub/adapters@88f18eb,
src/adapters/methods/bottleneck.py. With o the feed-forward output and x the residual input:

    y = LN(o + x)        z = W_up ReLU(W_down y + b) + b' + o        output = LN(z + x)

The block's own LayerNorm LN is frozen and applied twice; the skip takes o, before it. Since z + x is
(o + x) plus the bottleneck's output, the whole is one wrapper around LN that sees only s = o + x:

    output = LN(s + W_up ReLU(W_down LN(s) + b) + b')

A pre-norm block ends with the residual addition, there is no LayerNorm to use: as in that library, the
same formula without it, output = s + W_up ReLU(W_down s + b) + b', at the end of the block.

Weights start from N(0, 0.02), biases at zero: close to the base function at step 0, not exactly. The
library's default bottleneck is d / 16; the same 64 as the other adapters is the default here. Learning
rate: 1e-3 is for the short runs here (theirs: 1e-4). Searched: a decade to either side of 1e-3, and the
sizes 16 and 64 of the LoRA paper's baselines beside a larger one.
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
    from methods.anatomy import Anatomy, Site, Stack
    from methods.core import Injection


class PfeifferOptions(Options):
    """Options of ``pfeiffer``."""

    bottleneck: int = Field(64, ge=1, description="inner dimension m of each adapter")
    layers: Layers = None


def work(geometry: Geometry, options: PfeifferOptions) -> Work:
    """4dm per token for the adapter of each block."""
    adapter = bottleneck_chain(geometry.hidden, options.bottleneck)
    layers = geometry.within(options.layers).layers
    return Work(beside={"block_output": [(adapter,)] * layers}, layers=options.layers)


class Pfeiffer(Method[PfeifferOptions]):
    """One serial adapter per block, sharing the block's LayerNorm."""

    name = "pfeiffer"
    options = PfeifferOptions
    served = BOTTLENECK
    card = Card(
        summary="One bottleneck adapter per block, between two uses of the block's own LayerNorm.",
        source="arXiv 2005.00247; adapter-hub/adapters@88f18eb",
        places=at("adapter around it", "feed_forward_norm"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"bottleneck": Choice((16, 64, 256))}),
        starts_at_base=False,
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: PfeifferOptions) -> Injection:
        """Wrap the LayerNorm that ends every block, or follow the block."""
        from methods.core import Follow, Injection, Swap
        from methods.modules.pfeiffer import PfeifferAdapter, PreNormPfeifferAdapter, bottleneck

        width, anatomy = anatomy.width, anatomy.within(options.layers)
        ends = [(stack, site) for stack in anatomy.stacks for site in self._ends(anatomy, stack)]
        injection = Injection(options)
        for stack, site in ends:
            adapter = bottleneck(width, options.bottleneck, site.like())
            if stack.layout.block_norm is None:
                injection.changes.append(Follow(site, "pfeiffer", PreNormPfeifferAdapter(adapter)))
            else:
                injection.changes.append(Swap(site, PfeifferAdapter(site.module, adapter)))
            injection.trained |= {f"{site.path}.adapter.{n}": p for n, p in adapter.named_parameters()}
        return injection

    @staticmethod
    def _ends(anatomy: Anatomy, stack: Stack) -> list[Site]:
        if anatomy.fact(stack, "block_norm") is None:
            return list(stack.blocks)
        return anatomy.sites_of(stack, "block_norm")

    def count(self, geometry: Geometry, options: PfeifferOptions) -> dict[str, int]:
        """L(2dm + m + d)."""
        layers = geometry.within(options.layers).layers
        return {"adapters": layers * bottleneck_size(geometry.hidden, options.bottleneck)}
