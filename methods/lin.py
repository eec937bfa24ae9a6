"""Lin adapters: one bottleneck at the very end of every block, after a LayerNorm of its own.

Paper: arXiv 2004.03829, section 3.2; code: zlinao/VGLM@39e094f, pytorch_transformers/modeling_gpt2.py.
The LoRA paper calls it AdapterL.

    x <- x + W_up ReLU(W_down LN_new(x) + b) + b'

x is the block's output, after its last residual addition. LN_new is an extra LayerNorm (weight 1, bias 0,
eps 1e-5) that trains; the block's own LayerNorms stay frozen. Weights start from N(0, 0.02), biases at
zero: close to the identity at step 0, not exactly.

The paper adapts GPT-2, whose blocks end with a residual addition. On post-norm encoders there is no
reference code; the faithful reading, taken here, is after the block's final LayerNorm. Their code also
trains the token embedding, because it adds task tokens; nothing is added here, so it stays frozen.
Learning rate: theirs is 5e-4 on runs of 3 to 10 epochs; 1e-3 is for the shorter runs here. Searched: rates
around theirs, and sizes over the range of theirs (10 to 300).
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


class LinOptions(Options):
    """Options of ``lin``."""

    bottleneck: int = Field(64, ge=1, description="inner dimension m of each adapter")
    layers: Layers = None


def work(geometry: Geometry, options: LinOptions) -> Work:
    """4dm per token for the adapter of each block."""
    adapter = bottleneck_chain(geometry.hidden, options.bottleneck, reads_trained=True)  # its LayerNorm
    layers = geometry.within(options.layers).layers
    return Work(beside={"block_output": [(adapter,)] * layers}, layers=options.layers)


class Lin(Method[LinOptions]):
    """One serial adapter per block, with its own LayerNorm."""

    name = "lin"
    options = LinOptions
    served = BOTTLENECK
    card = Card(
        summary="One bottleneck adapter at the end of each block, behind a LayerNorm of its own.",
        source="arXiv 2004.03829; zlinao/VGLM@39e094f",
        places=at("LayerNorm and adapter", "block_end"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"bottleneck": Choice((16, 64, 256))}),
        starts_at_base=False,
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: LinOptions) -> Injection:
        """Follow the end of every block."""
        from methods.core import Follow, Injection
        from methods.modules.lin import LinAdapter, bottleneck

        width = anatomy.width
        injection = Injection(options)
        for block in anatomy.within(options.layers).blocks:
            adapter = LinAdapter(bottleneck(width, options.bottleneck, block.like()), width)
            injection.changes.append(Follow(block, "lin", adapter))
            injection.trained |= {f"{block.path}.lin.{n}": p for n, p in adapter.named_parameters()}
        return injection

    def count(self, geometry: Geometry, options: LinOptions) -> dict[str, int]:
        """L(2dm + m + d) for the adapters, 2Ld for their LayerNorms."""
        layers = geometry.within(options.layers).layers
        return {
            "adapters": layers * bottleneck_size(geometry.hidden, options.bottleneck),
            "own_layer_norms": 2 * layers * geometry.hidden,
        }
