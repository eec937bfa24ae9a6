"""The tensors that the rows of a batch ask for, each of its own task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from methods.bank.task import Layout, Task
from methods.core import Served
from methods.errors import MethodError


class Rows:
    """What the rows of a batch compute with.

    One copy for each row, of all tensors of its task at once. Where tasks have tensors of different sizes,
    the smaller are filled up with zeros, a copy for each size.

    Args:
        tasks: one for each row.
        kind: of the method.
        flattens: whether the model runs rows and tokens in one dimension in places.
    """

    def __init__(self, tasks: Sequence[Task], kind: Served, flattens: bool) -> None:
        self.tasks, self.kind, self.flattens = tasks, kind, flattens
        self.count = len(tasks)
        groups: dict[int, list[int]] = {}
        for row, task in enumerate(tasks):
            groups.setdefault(id(task.layout), []).append(row)
        self._tensors = self._side_by_side() if len(groups) == 1 else self._filled_up(list(groups.values()))

    def _stacked(self, rows: Sequence[int]) -> dict[Any, Tensor]:
        pieces = self.tasks[rows[0]].pieces
        return {where: torch.stack([self.tasks[row].pieces[where] for row in rows]) for where in pieces}

    def _side_by_side(self) -> dict[str, Tensor]:
        return self.tasks[0].layout.tensors(self._stacked(range(self.count)))

    def _filled_up(self, groups: list[list[int]]) -> dict[str, Tensor]:
        made: dict[str, Tensor] = {}
        layouts = [self.tasks[group[0]].layout for group in groups]
        for group, layout in zip(groups, layouts, strict=True):
            for name, part in layout.tensors(self._stacked(group)).items():
                if name not in made:
                    made[name] = part.new_zeros(self.count, *self._largest(name, layouts))
                whole = made[name]
                for axis, size in enumerate(part.shape[1:], 1):
                    whole = whole.narrow(axis, 0, size)
                whole[group] = part
        return made

    @staticmethod
    def _largest(name: str, layouts: Sequence[Layout]) -> list[int]:
        return [max(sizes) for sizes in zip(*(layout.shapes[name] for layout in layouts), strict=True)]

    def of(self, name: str) -> Tensor:
        """A tensor of every row, (batch x ...), by its name in a checkpoint."""
        return self._tensors[name]

    def sizes(self, name: str, axis: int) -> Tensor | None:
        """How long a tensor of each row is in truth, (batch x 1); None where they are all as long."""
        found = [task.layout.shapes[name][axis] for task in self.tasks]
        if len(set(found)) == 1:
            return None
        return torch.tensor(found, device=self.of(name).device)[:, None]

    @cached_property
    def factors(self) -> tuple[float, ...]:
        """What scales the method in each row."""
        return tuple(float(getattr(task.options, str(self.kind.factor))) for task in self.tasks)

    def factor(self, like: Tensor) -> float | Tensor:
        """The same for products (batch x n x features): one number where it is one."""
        if len(set(self.factors)) == 1:
            return self.factors[0]
        return torch.tensor(self.factors, device=like.device, dtype=like.dtype)[:, None, None]

    def split(self, x: Tensor, in_body: bool = True) -> Tensor:
        """What a module reads, as (batch x n x features).

        Args:
            x: (batch x ... x features), or where the model does so (batch * tokens x features).
            in_body: whether the module is one of the body's.

        Raises:
            MethodError: it reads something that no row has alone.
        """
        batch, width = self.count, x.shape[-1]
        if in_body and not self.flattens and x.ndim == 2:
            pass  # such as the embeddings of relative positions
        elif x.shape[0] == batch and x.ndim > 1:
            return x.reshape(batch, -1, width)
        elif self.flattens and x.ndim == 2 and x.shape[0] % batch == 0:
            return x.view(batch, -1, width)
        raise MethodError(
            f"this model multiplies a tensor of {tuple(x.shape)} that all {batch} rows of the batch share by "
            "weights of the tasks: serve one task at a time, a batch for each."
        )
