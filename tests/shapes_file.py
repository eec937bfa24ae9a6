"""Make ``runners/shapes.json``: the sizes of the models that are known by name, read off these models.

    python tests/shapes_file.py

Remake it when an architecture, a method or the version of transformers changes;
``tests/runners/test_shapes.py`` says when it is out of date.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # else `reports` is the tests' folder of that name

import methods
from methods import Adapted, MethodError
from runners import models, shapes
from runners.measure.counting import Count, closed_form
from runners.shapes import Shapes


def read_off(name: str) -> Shapes:
    """The sizes of a model, and the methods that it takes."""
    skeleton, takes = models.skeleton(name, shapes.LABELS), set()
    geometry = Adapted(skeleton, methods.get("full"), methods.get("full").options()).sizes.geometry
    methods.adapted(skeleton).remove()
    for method in map(methods.get, methods.names()):
        try:
            adapted = Adapted(skeleton, method, method.options())
        except MethodError:
            continue
        counts = adapted.parameter_counts()
        live = Count(
            *(counts[n] for n in ("base", "method", "head")), adapted.parts(), adapted.stored_count()
        )
        if live == closed_form(method, method.options(), geometry):
            takes.add(method.name)
        adapted.remove()
    return Shapes(geometry, frozenset(takes))


def main() -> None:
    found = {}
    for name in ("embedded", *models.architectures()):
        key = shapes.hash_of(name)
        assert key is not None, name
        found[key] = {"name": name, **shapes.described(read_off(name))}
        print(f"{name}: {', '.join(found[key]['takes'])}")
    # A field on a line, so that a change can be read.
    models_ = ",\n".join(f'  "{key}": {{\n{lines(model)}\n  }}' for key, model in found.items())
    text = f'{{\n "transformers": "{version("transformers")}",\n "models": {{\n{models_}\n }}\n}}\n'
    shapes.SHIPPED.write_text(text, encoding="utf-8")


def lines(model: dict[str, Any]) -> str:
    return ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in model.items())


if __name__ == "__main__":
    main()
