"""Table 1 of the LoRA paper: the study `latency-small-batch` at the paper's own sizes, one item an input.

The inputs of the paper's columns come first. Records lie beside the document, for the site's latency page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from runners.plan.latency_study import LatencyStudy, parse_latency_study
from runners.plan.study import content
from runners.work import latency_study

from .document import Found, Item
from .latency import told
from .sizes import Sizes

STUDY = "latency-small-batch"
PRINTED = ((1, 128), (16, 256), (32, 512))
"""Batch size and length of the paper's columns."""

Cell = tuple[int, int, int | None]


def items(sizes: Sizes, folder: Path) -> Iterator[Item]:
    """One item an input."""
    study = parse_latency_study(content(STUDY) | dict(sizes.table1))
    for cell in sorted(study.cells, key=lambda cell: (cell[:2] not in PRINTED, study.cells.index(cell))):
        about = {"model": study.model, "dtype": study.dtype, "cell": f"batch {cell[0]}, {cell[1]} tokens"}
        yield Item(about, partial(_measure, study, cell, folder / STUDY))


def _measure(study: LatencyStudy, cell: Cell, folder: Path) -> Found:
    said: list[str] = []
    alone = replace(study, cells=(cell,))
    records = latency_study.run(alone, folder, say=said.append)
    print(*said, sep="\n", file=sys.stderr)
    return {"ok": bool(records), "cells": told(records)} | ({"message": " ".join(said)} if said else {})
