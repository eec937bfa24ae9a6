"""A module that computes every row of a batch with tensors of its own, while a mixed batch runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from methods.bank.rows import Rows
from methods.core import Options


class RowWise(ABC):
    """What is done to one module of the model.

    Args:
        names: the tensors that it takes from the rows, by its own names for them.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)

    @abstractmethod
    def enter(self, rows: Rows) -> None:
        """Compute with the tensors of these rows from now on."""

    @abstractmethod
    def leave(self) -> None:
        """Compute as the module does."""

    def alone(self, options: Options) -> None:  # noqa: B027
        """Follow the options of the one task whose tensors lie in the model; most depend on none."""

    def derive(self, tensors: Mapping[str, Tensor], options: Options) -> dict[str, Tensor]:
        """What rows need beside the tensors of a task, made once, by name."""
        return {}


class Computed(RowWise):
    """A module of which one function is another one while a mixed batch runs.

    Args:
        module: it.
        names: see :class:`RowWise`.
    """

    function = "forward"

    def __init__(self, module: nn.Module, names: Mapping[str, str]) -> None:
        super().__init__(names)
        self.module = module
        self.in_body = not any(name.startswith("head.") for name in names.values())

    @abstractmethod
    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """What the function returns for a mixed batch."""

    def enter(self, rows: Rows) -> None:
        """Put the other function there."""
        self.own = vars(self.module).get(self.function)
        vars(self.module)[self.function] = partial(self.run, rows)

    def leave(self) -> None:
        """Give the module its own."""
        del vars(self.module)[self.function]
        if self.own is not None:
            vars(self.module)[self.function] = self.own

    def own_function(self, *inputs: Any) -> Tensor:
        """What the module itself computes."""
        own = getattr(type(self.module), self.function).__get__(self.module) if self.own is None else self.own
        found: Tensor = own(*inputs)
        return found

    def tensor(self, rows: Rows, name: str) -> Tensor:
        """One of its tensors, (batch x ...), by its own name for it."""
        return rows.of(self.names[name])

    def split(self, rows: Rows, x: Tensor) -> Tensor:
        """What it reads as (batch x n x features)."""
        return rows.split(x, self.in_body)


def products(x: Tensor, matrices: Tensor) -> Tensor:
    """Each row of x (batch x n x in) by a matrix (out x in) of its own, (batch x n x out)."""
    return x.bmm(matrices.transpose(1, 2))
