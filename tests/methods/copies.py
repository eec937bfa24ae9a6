"""Copies of a model, fast: thousands of tests begin with one, and ``copy.deepcopy`` was much of their time.

All but the tensors is pickled once and read by the interpreter's own C code; a tensor is copied as
``copy.deepcopy`` does it. One parameter in two places stays one, as each tensor is made once for a copy.
Torch lets no module with parametrisations be pickled: such models are copied as ever.
"""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import torch
from transformers import PreTrainedModel


class Copies:
    """A model that is never touched, and copies of it."""

    def __init__(self, model: PreTrainedModel) -> None:
        file = io.BytesIO()
        writer = _Writer(file, protocol=pickle.HIGHEST_PROTOCOL)
        writer.dump(model)
        self.tensors = writer.tensors
        self.rest = file.getvalue()

    def one(self) -> PreTrainedModel:
        """Another copy."""
        return _Reader(io.BytesIO(self.rest), self.tensors).load()


class _Writer(pickle.Pickler):
    def __init__(self, *file: Any, **options: Any) -> None:
        super().__init__(*file, **options)
        self.tensors: list[torch.Tensor] = []
        self.places: dict[int, int] = {}

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, torch.Tensor):
            return None
        if id(value) not in self.places:
            self.places[id(value)] = len(self.tensors)
            self.tensors.append(value)
        return self.places[id(value)]


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tensors: list[torch.Tensor]) -> None:
        super().__init__(file)
        self.tensors, self.made = tensors, dict[int, torch.Tensor]()

    def persistent_load(self, place: int) -> torch.Tensor:
        if place not in self.made:
            self.made[place] = copy.deepcopy(self.tensors[place])
        return self.made[place]
