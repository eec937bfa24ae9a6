"""Latency at batch 1: the untouched base, LoRA and adapters, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch

from reports.records.latency_schema import LatencyRecord
from runners.measure.comparison import Comparison
from runners.plan.contenders import Choice

from .document import Found, Item
from .sizes import Served, Sizes

SHOWN = ("latency_ms_p50", "latency_ms_p95", "ratio", "ratio_low", "ratio_high")
WIDTH = 0.02
"""Of an interval, as a share of its ratio, at which a comparison ends before its time is up."""


def items(sizes: Sizes) -> Iterator[Item]:
    """One item a model."""
    for served in sizes.served:
        about = {"model": served.model, "dtype": served.dtype}
        yield Item(about, partial(_compare, served, sizes.served_methods, sizes.latency_seconds))


def _compare(served: Served, names: tuple[str, ...], seconds: float) -> Found:
    choices = [Choice(name, name, {}) for name in names]
    comparison = Comparison(served.model, choices, dtype=getattr(torch, served.dtype))
    cells = comparison.cells([1], [served.length], served.decode_tokens)
    return {"cells": told([comparison.measure(cell, width=WIDTH, seconds=seconds) for cell in cells])}


def told(records: Sequence[LatencyRecord]) -> list[Found]:
    """What the document tells of comparisons."""
    return [
        {
            "cell": f"batch {record.batch_size}, {record.sequence_length} tokens"
            + (f", {record.decode_tokens} decoded" if record.decode_tokens else ""),
            "rounds": record.rounds,
            "rows": [
                {"contender": entry.label, **entry.model_dump(include=set(SHOWN))} for entry in record.entries
            ],
        }
        for record in records
    ]
