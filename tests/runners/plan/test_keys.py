"""A key of a study file that is not one: the sentence says which was meant."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import yaml_text
from runners.plan import intrinsic, latency_study, study
from runners.plan.errors import SpecError

TRIALS: dict[str, Any] = {
    "name": "mine",
    "models": ["embedded"],
    "tasks": [{"task": "cola", "protocol": {"steps": 3}}],
    "methods": [
        {"method": "lora", "options": {"alpha": 2}, "grid": {"options": {"rank": [1]}, "protocol": {}}}
    ],
    "seeds": [0],
    "protocol": {"batch_size": 4, "generation": {"longest": 4}},
    "costs": {"latency_rounds": 10},
    "tuning": {"trials": 2, "seed": 7},
}
LATENCY = {
    **{"kind": "latency", "name": "mine", "model": "embedded", "methods": ["lora"], "width": 0.1},
    **{"cells": [{"batch": 1, "length": 4}]},
}
INTRINSIC = {
    **{"kind": "intrinsic", "name": "intrinsic-mine", "model": "embedded", "tasks": ["cola"]},
    **{"method": "said", "reference": "full", "dimensions": [1, 2], "learning_rates": [0.1]},
}
READERS = {
    "trials": (TRIALS, study.parse_study),
    "latency": (LATENCY, latency_study.parse_latency_study),
    "intrinsic": (INTRINSIC, intrinsic.parse_intrinsic_study),
}


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The paths of all keys."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict):
            yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, *path, key)


ALL = [(kind, path) for kind, (content, _) in READERS.items() for path in places(content)]


@pytest.mark.parametrize(("kind", "path"), ALL, ids=str)
def test_a_misspelled_key_is_named_with_what_was_meant(kind: str, path: tuple[Any, ...]) -> None:
    content, read = READERS[kind]
    changed = copy.deepcopy(content)
    inner: Any = changed
    for part in path[:-1]:
        inner = inner[part]
    right = path[-1]
    other_number = right[:-1] if right.endswith("s") else f"{right}s"
    for wrong in (other_number, right[0] + right[2:]):
        if (right, wrong) == ("seed", "seeds") and "tuning" in path:
            continue  # which is one as well
        if wrong in ("kinds", "models", "methods", "model", "method") and kind != "trials" and len(path) == 1:
            continue  # of another kind of study
        broken = {(wrong if key == right else key): value for key, value in inner.items()}
        whole: Any = copy.deepcopy(changed)
        place = whole
        for part in path[:-1]:
            place = place[part]
        place.clear()
        place.update(broken)
        with pytest.raises(ValueError, match=f"'?{wrong}'?.*(did you mean|Valid:).*{right}"):
            read(whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": ["cola"], "tasks": None}, "has no option 'task'; did you mean tasks"),
        ({"steps": 3}, "no option 'steps', which belongs in `protocol: {steps: 3}`"),
        ({"latency_rounds": 30}, "which belongs in `costs: {latency_rounds: 30}`"),
        ({"tasks": [{"task": "cola", "steps": 3}]}, "the task cola .* belongs in `protocol: {steps: 3}`"),
        ({"tasks": None}, "the study has no tasks, which it needs"),
    ],
)
def test_what_is_missing_or_elsewhere(changes: dict[str, Any], words: str) -> None:
    content = {key: value for key, value in (TRIALS | changes).items() if value is not None}
    with pytest.raises(SpecError, match=words):
        study.parse_study(content)


def test_a_kind_that_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml_text.dump(LATENCY | {"kind": "latancy"}))
    with pytest.raises(SpecError, match="of the kind 'latancy'; did you mean latency"):
        study.content(str(path))
