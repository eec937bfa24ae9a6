"""A frozen linear layer whose matrix is updated: all of it, or the slices that roles have of a fused one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar, cast

from torch import Tensor, nn

from methods.anatomy.features import Features
from methods.anatomy.layers import Linear, WrappedLinear, oriented, to_fold


class Update(nn.Module):
    """One update of a layer."""

    features: Features
    """The output features that it changes."""


UpdateT = TypeVar("UpdateT", bound=Update)


class UpdatedLinear(WrappedLinear, Generic[UpdateT]):
    """A frozen linear layer with updates beside it.

    Args:
        base: the frozen layer.
        parts: the updates by role; one for all output features, or one for each adapted slice.
    """

    def __init__(self, base: Linear, parts: Mapping[str, UpdateT]) -> None:
        super().__init__(base, in_slices=any(not part.features.all for part in parts.values()))
        self.parts = nn.ModuleDict(parts)

    @abstractmethod
    def add(self, h: Tensor, x: Tensor, part: UpdateT) -> Tensor:
        """What one update makes of the layer's output h (..., out) for x (..., in), maybe in place."""

    @abstractmethod
    def updated(self, rows: Tensor, part: UpdateT) -> Tensor:
        """The rows (out x in) of the matrix that one update changes, changed, in at least float32."""

    def forward(self, x: Tensor) -> Tensor:
        """W x + b, W updated."""
        h = self.own_output(x)
        for part in self.parts.values():
            h = self.add(h, x, cast(UpdateT, part))
        return h

    def folded(self) -> dict[str, Tensor]:
        """W updated, in at least float32."""
        weight = to_fold(self.base)
        matrix = oriented(self.base, weight)  # a view: (out x in)
        for module in self.parts.values():
            part = cast(UpdateT, module)
            part.features.write(matrix, self.updated(part.features.of(matrix), part).to(weight.dtype))
        return {"weight": weight}
