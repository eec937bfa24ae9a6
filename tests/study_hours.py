"""How many hours the built-in studies take, from the published records; a study's file says it as ``hours``.

    python tests/study_hours.py

``measured``: the wall seconds of a study's own records, of its searches too, one trial after another. Tasks
that are not published yet are taken to last as long as the others, and that is ``estimated``.
``estimated``: for a study of which nothing is published, each trial's rows (steps x batch) times the wall
seconds for a row of the published records of the same model, task and method, whatever their options. A study
with a trial that has no such record is told nothing of; its file may say what `paretune plan STUDY` told:
``planned``.

They were measured with one or two threads of a 2-core AMD EPYC or Intel Xeon, which each record names;
`paretune plan STUDY` tells the hours of another machine.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # else `reports` is the tests' folder of that name

from runners.plan import study
from runners.plan.about import Hours
from runners.plan.spec import TrialSpec

ROOT = Path(__file__).parents[1]


def published() -> list[dict[str, Any]]:
    """The records of trials that come with Paretune."""
    paths = (ROOT / "reports" / "leaderboards").rglob("*.json")
    found = [json.loads(path.read_text()) for path in paths if not path.name.endswith(".latency.json")]
    return [record for record in found if "wall_seconds" in record]


def hours(records: Iterable[dict[str, Any]]) -> dict[str, Hours]:
    """What can be told of the built-in studies of trials, to two digits."""
    own: dict[str, float] = defaultdict(float)
    tasks: dict[str, set[str]] = defaultdict(set)
    rows: dict[tuple[str, str, str], float] = defaultdict(float)
    seconds: dict[tuple[str, str, str], float] = defaultdict(float)
    for record in records:
        own[record["study"]] += record["wall_seconds"]
        tasks[record["study"]].add(record["spec"]["task"])
        spec, training = record["spec"], record["training"]
        if training is not None and training["steps"]:
            key = spec["model"], spec["task"], spec["method"]
            rows[key] += training["steps"] * spec["protocol"]["batch_size"]
            seconds[key] += record["wall_seconds"]
    found = {}
    for name in study.built_in():
        content = study.content(name)
        if name in own:
            planned = _tasks(content)
            share = len(planned) / len(planned & tasks[name]) if planned else 1
            found[name] = Hours(
                value=_short(own[name] * share), how="measured" if share == 1 else "estimated"
            )
        elif content.get("kind", "trials") == "trials":
            specs = study.parse_study(content).specs
            keys = [(spec.model, spec.task, spec.method) for spec in specs]
            if keys and all(key in rows for key in keys):  # those behind a search are not known yet
                each = zip(specs, keys, strict=True)
                whole = sum(_rows(spec) * seconds[key] / rows[key] for spec, key in each)
                found[name] = Hours(value=_short(whole), how="estimated")
    return found


def _tasks(content: dict[str, Any]) -> set[str]:
    """Of a study of trials; of another nothing is asked."""
    if content.get("kind", "trials") != "trials":
        return set()
    parsed = study.parse_study(content)
    return {spec.task for spec in parsed.specs} | {search.default.task for search in parsed.searches}


def _rows(spec: TrialSpec) -> int:
    assert spec.protocol.steps is not None, f"{spec.label}: its steps depend on its data"
    return spec.protocol.steps * spec.protocol.batch_size


def _short(seconds: float) -> float:
    return float(f"{seconds / 3600:.2g}")


if __name__ == "__main__":
    for name, each in hours(published()).items():
        print(f"{name:26} hours: {{value: {each.value:g}, how: {each.how}}}")
