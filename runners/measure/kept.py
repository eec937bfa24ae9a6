"""Predicted memory, kept: it takes a second or more to predict and depends on nothing of the machine.

It is found again by all that decides it: the configuration of the model, the sizes, the method with its
options, the versions of torch and transformers, and our own code. What is missing, foreign or broken is as if
it were not there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any

from reports.records.atomic import write_atomically
from runners import shapes
from runners.measure.footprint import Footprint, Setting, Workbench


def footprint(
    setting: Setting, method: str, options: Mapping[str, Any], bench: Callable[[], Workbench]
) -> Footprint:
    """The memory of a method on a setting, from the cache or predicted.

    Args:
        setting: model and sizes.
        method: its name.
        options: its options.
        bench: makes the workbench that predicts, where nothing is kept.

    Raises:
        MethodError, SpecError, ModelError: as :meth:`Workbench.footprint`.
    """
    sizes = {key: value for key, value in asdict(setting).items() if key != "model"}
    asked = {"setting": sizes, "method": method, "options": dict(options)}
    with suppress(OSError, ValueError, KeyError, TypeError, RuntimeError):
        file = shapes.place(setting.model, "memory", asked)
        if file is not None and file.stat().st_size <= shapes.MOST_BYTES:
            return _read(json.loads(file.read_bytes()))
    found = bench().footprint(method, options)
    with suppress(OSError, ValueError, RuntimeError):
        file = shapes.place(setting.model, "memory", asked)
        if file is not None:
            write_atomically(file, json.dumps(asdict(found)), durable=False)
    return found


def _read(plain: Mapping[str, Any]) -> Footprint:
    """What was kept.

    Raises:
        ValueError, KeyError: it is something else.
    """
    values = {field.name: plain[field.name] for field in fields(Footprint)}
    for name, value in values.items():
        if type(value) is not (int if name.endswith("_bytes") else str):
            raise ValueError(f"{name} is {value!r}")
    return Footprint(**values)
