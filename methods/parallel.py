"""Parallel adapters, scaled: a bottleneck beside the feed-forward sub-layer of every block.

Paper: arXiv 2110.04366, section 4 (scaled parallel adapter) and table 6; code:
jxhe/unify-parameter-efficient-tuning@3222ce2, petl/petl_factory.py, ``ffn_option="parallel"``.

    h <- h + s (W_up ReLU(W_down x + b) + b')

h is the feed-forward's output before the residual addition, behind its dropout, and x what the feed-forward
reads: on post-norm blocks (BERT, BART) the stream itself, on pre-norm blocks (GPT-2, LLaMA) the normalised
stream. That is what their code takes on mBART, its one pre-norm model, unless told otherwise
(petl/options.py, ``hi_lnbefore`` 0). The `adapters` library reads the stream in front of the norm there:
another function.

W_up starts at zero, W_down Kaiming-uniform with a = sqrt(5) and the biases at zero, their init "lora": the
function is unchanged at step 0. s is 4, theirs for summarisation and translation (2 on GLUE), and does not
train. Their bottleneck is 512 there and 16 on GLUE; the same 64 as the other adapters is the default here.
Their dropout inside of the adapter is left out, as in the other adapters here. Where the model applies
dropout as a function (BART, OPT) it follows the adapter: the same function in evaluation.

x is noted where the feed-forward's first layer reads it and taken where its output is: by each thread for
itself, and dropped at the end of the block whatever happens. A mixture of experts has no such two places, and
is refused.

Learning rate: theirs is 1e-4 on GLUE and 5e-5 elsewhere, over 10 epochs and more; 1e-3, as of the other
adapters, is for the short runs here (80 steps of 16 sentences of rotten_tomatoes, one seed: accuracy 0.70,
0.72 and 0.51 on the selection split at 3e-4, 1e-3 and 3e-3). Searched: a decade to either side, their two
sizes beside 64, and their two scales.
"""

from __future__ import annotations

from dataclasses import replace
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

NAME = "parallel"
"""Name of the submodule of a block that holds its adapter."""


class ParallelOptions(Options):
    """Options of ``parallel``."""

    bottleneck: int = Field(64, ge=1, description="inner dimension m of each adapter")
    scale: float = Field(4.0, gt=0, description="factor s of what an adapter adds")
    layers: Layers = None


def work(geometry: Geometry, options: ParallelOptions) -> Work:
    """4dm per token for the adapter of each block.

    Nothing trains inside the feed-forward, so a gradient that is needed at its input is needed at its output,
    where this is counted.
    """
    adapter, blocks = bottleneck_chain(geometry.hidden, options.bottleneck), geometry.within(options.layers)
    return Work(beside={"feed_forward_output": [(adapter,)] * blocks.layers}, layers=options.layers)


class Parallel(Method[ParallelOptions]):
    """One parallel adapter per block."""

    name = "parallel"
    options = ParallelOptions
    served = replace(BOTTLENECK, factor="scale")
    card = Card(
        summary="One bottleneck adapter per block, beside the feed-forward and scaled.",
        source="arXiv 2110.04366; jxhe/unify-parameter-efficient-tuning@3222ce2",
        places=at("is read", "feed_forward_input") | at("scaled adapter", "feed_forward_output"),
        learning_rate=1e-3,
        search_space=SearchSpace(
            LogUniform(1e-4, 1e-2), {"bottleneck": Choice((16, 64, 512)), "scale": Choice((2.0, 4.0))}
        ),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: ParallelOptions) -> Injection:
        """Put an adapter into every block, and its hooks around the feed-forward."""
        from methods.core import Attach, Hook, Injection
        from methods.modules.parallel import ParallelAdapter, bottleneck

        width, anatomy = anatomy.width, anatomy.within(options.layers)
        firsts, lasts = (anatomy.sites(f"feed_forward_{end}") for end in ("input", "output"))
        blocks = anatomy.blocks
        injection = Injection(options)
        for block, first, last in zip(blocks, firsts, lasts, strict=True):
            inner = bottleneck(width, options.bottleneck, last.like())
            adapter = ParallelAdapter(inner, options.scale)
            hooks = (
                Hook(first.module.register_forward_pre_hook, adapter.note),
                Hook(last.module.register_forward_hook, adapter.add),
                Hook(block.module.register_forward_hook, adapter.forget, {"always_call": True}),
            )
            injection.changes.append(Attach(block.module, NAME, adapter, hooks))
            injection.trained |= {f"{block.path}.{NAME}.{n}": p for n, p in inner.named_parameters()}
        return injection

    def count(self, geometry: Geometry, options: ParallelOptions) -> dict[str, int]:
        """L(2dm + m + d)."""
        blocks = geometry.within(options.layers)
        return {"adapters": blocks.layers * bottleneck_size(blocks.hidden, options.bottleneck)}
