"""Trained tasks to serve, without training any: tensors of about the size that training gives them."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from transformers import PreTrainedModel

import methods
from methods import Checkpoint
from runners.plan.contenders import Choice

SPREAD = 0.02
"""Standard deviation of what is added to a new method's tensors and to the base's head."""


class Tenants:
    """Tasks of one method on one base, each with values of its own.

    What serving costs depends on shapes and places in memory, not on values; they differ so that an answer of
    the wrong task would be seen.

    Args:
        base: the model without a method; it is copied.
        choice: the method and its options, the same for all tasks.
        seed: of all values.

    Raises:
        MethodError: the model cannot carry the method.
    """

    def __init__(self, base: PreTrainedModel, choice: Choice, seed: int) -> None:
        torch.manual_seed(seed)
        adapted = methods.apply(copy.deepcopy(base), choice.method, **choice.options)
        self.seed, self.method = seed, adapted.method
        self.options = adapted.options.told()
        self.max_input_length = adapted.max_input_length
        self._new = adapted.checkpoint()
        self.parameters = sum(tensor.numel() for tensor in self._new.tensors.values())
        self.bytes = self._new.bytes

    def checkpoint(self, number: int) -> Checkpoint:
        """The task of that number, in memory of its own."""
        new = self._new
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        tensors = {
            name: tensor + SPREAD * torch.randn(tensor.shape, generator=generator).to(tensor)
            for name, tensor in new.tensors.items()
        }
        return Checkpoint(new.method, new.options, new.architecture, tensors, f"task {number}", new.model)

    def saved(self, number: int, folder: Path) -> Path:
        """The same in files."""
        return self.checkpoint(number).write(folder / f"task{number}")
