"""The memory that is predicted from a configuration, beside what the device's allocator says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from methods import MethodError
from runners import device, models
from runners.measure.footprint import Setting, Source, Workbench

from .document import Found, Item
from .sizes import Shape, Sizes


def items(sizes: Sizes, folder: Path) -> Iterator[Item]:
    """Every method on every shape; a changed configuration is written into ``folder``."""
    benches = _Benches(folder)
    for shape in sizes.shapes:
        for name in sizes.methods:
            yield Item({"method": name, "shape": shape.label}, partial(_both, benches, shape, name))


class _Benches:
    """The models of one shape, which all methods share; those before are gone, or a peak would hold them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shape: Shape | None = None
        self.pair: dict[Source, Workbench] = {}
        self.beside_bytes = 0

    def of(self, shape: Shape) -> dict[Source, Workbench]:
        """Both models of a shape."""
        if shape != self.shape:
            self.shape, self.pair = None, {}
            where = device.accelerator().device
            device.free(where)
            self.beside_bytes = torch.cuda.memory_allocated(where) if where.type == "cuda" else 0
            setting = _setting(shape, self.folder)
            self.pair = {
                "measured": Workbench(setting, "measured"),
                "predicted": Workbench(setting, "predicted"),
            }
            self.shape = shape
        return self.pair


def _setting(shape: Shape, folder: Path) -> Setting:
    model = shape.model
    if shape.changes:
        values: dict[str, Any] = models.architectures()[model] | dict.fromkeys(shape.changes, 0.0)
        model = str(folder / shape.label.replace(" ", "-"))
        AutoConfig.for_model(**values).save_pretrained(model)
    return Setting(
        model,
        shape.batch_size,
        shape.sequence_length,
        objective=shape.objective,
        stored=shape.stored,
        micro_batch=shape.micro_batch,
    )


def _both(benches: _Benches, shape: Shape, method: str) -> Found:
    """Both footprints, and how far the prediction is off, as a share of what was measured.

    ``beside_bytes`` were on the card before any model: workspaces of libraries, which measured peaks hold.
    """
    try:
        found = {source: bench.footprint(method, {}) for source, bench in benches.of(shape).items()}
    except MethodError as error:
        return {"cannot": str(error)}
    measured, predicted = (dataclasses.asdict(found[source]) for source in ("measured", "predicted"))
    off = {
        name: predicted[name] / measured[name] - 1
        for name in ("peak_training_bytes", "peak_inference_bytes", "checkpoint_bytes")
    }
    return {"measured": measured, "predicted": predicted, "off": off, "beside_bytes": benches.beside_bytes}
