"""What a method says of serving many of its tasks from one base: whether a bank can, and what may differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from methods.core.options import Options


@dataclass(frozen=True)
class Served:
    """What may differ between tasks that share a batch, beside the values of their tensors."""

    size: str | None = None
    """The option that sizes the tensors."""
    axes: Mapping[str, int] = field(default_factory=dict)
    """The axis that it sizes, by the last word of a tensor's name."""
    factor: str | None = None
    """What of the options scales what the method adds."""

    def shape(self, name: str, own: tuple[int, ...], here: Options, there: Options) -> tuple[int, ...]:
        """The shape of a tensor of the method under other options.

        Args:
            name: of the tensor in a checkpoint.
            own: its shape under the options ``here``.
            here: options.
            there: the others.
        """
        axis = self.axes.get(name.rpartition(".")[2]) if name.startswith("method.") else None
        if self.size is None or axis is None or own[axis] != getattr(here, self.size):
            return own
        return (*own[:axis], getattr(there, self.size), *own[axis + 1 :])


LOW_RANK = Served("rank", {"lora_A": 0, "lora_B": 1}, "scaling")
"""Of updates B A."""
BOTTLENECK = Served("bottleneck", {"down": 0, "down_bias": 0, "up": 1})
"""Of serial adapters."""
