"""Many tasks from one base: the study `serving`, one item a method.

Records lie beside the document, for the site's page of the kind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from reports.records.serving_schema import ServingRecord
from runners.measure.serving.cost import Watch
from runners.plan.contenders import Choice
from runners.plan.serving_study import ServingStudy, parse_serving_study
from runners.plan.study import content
from runners.work import serving_study

from .document import Found, Item
from .sizes import Sizes

STUDY = "serving"
WAYS = ("control", "one_task", "mixed", "in_turn", "merged", "merged_in_turn")


def items(sizes: Sizes, folder: Path) -> Iterator[Item]:
    """One item a method."""
    study = parse_serving_study(content(STUDY) | dict(sizes.serving))
    for choice in study.choices:
        about = {"method": choice.label, "model": study.model, "dtype": study.dtype}
        yield Item(about, partial(_measure, study, choice, folder / STUDY))


def _measure(study: ServingStudy, choice: Choice, folder: Path) -> Found:
    said: list[str] = []
    watch = Watch(left_out=said.append)
    (record,) = serving_study.run(replace(study, choices=(choice,)), folder, watch=watch)
    print(*said, sep="\n", file=sys.stderr)
    return {"ok": not said, "batches": _told(record)} | ({"message": " ".join(said)} if said else {})


def _told(record: ServingRecord) -> list[Found]:
    """What the document tells of batches: the time of each way over the base's."""
    return [
        {
            "batch": f"{one.batch_size} x {one.sequence_length} tokens, {one.tasks} tasks",
            "base_ms_p50": one.base_ms_p50,
            "ratios": {way: row.ratio for way in WAYS if (row := getattr(one, way)) is not None},
        }
        for one in record.batches
    ]
