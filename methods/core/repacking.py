"""The 4-bit layers of bitsandbytes, kept from repacking their weights on a CPU.

On a CPU with products of bfloat16 such a layer repacks its weight in its first pass without a gradient. From
then on no gradient goes through it, in training neither, and its state dict holds other values than before
(bitsandbytes 0.50, findings/four_bits_on_a_cpu.sh). With a method in the model it stays as it was loaded.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from methods.core.change import Change
from methods.errors import MethodError

_SWITCH = "support_avx512bf16_for_cpu"


class AsLoaded(Change):
    """Keeps some layers from repacking their weights.

    Args:
        layers: of bitsandbytes, in 4 bits.

    Raises:
        MethodError: one is repacked already, which cannot be undone.
    """

    computes = False

    def __init__(self, layers: list[Any]) -> None:
        for layer in layers:
            if getattr(layer.weight.quant_state, "packing_format_for_cpu", False):
                raise MethodError(
                    "the model was evaluated on a CPU, where bitsandbytes repacked its 4-bit weights, and "
                    "no gradient goes through them: load it again and apply the method before its first pass."
                )
        self.layers = layers
        self.redo()

    def redo(self) -> None:
        """Keep them."""
        for layer in self.layers:
            setattr(layer, _SWITCH, False)

    def undo(self) -> None:
        """Let them."""
        for layer in self.layers:
            setattr(layer, _SWITCH, True)


def as_loaded(model: nn.Module) -> list[Change]:
    """The change that a model needs; none where no layer of it would repack its weight."""
    layers = [module for module in model.modules() if getattr(module, _SWITCH, False)]
    return [AsLoaded(layers)] if layers else []
