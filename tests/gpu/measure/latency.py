"""Latency at batch 1: the untouched base, LoRA and adapters, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from runners.measure.comparison import Comparison
from runners.plan.contenders import Choice

from .document import Found, Item
from .sizes import Served, Sizes

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
    records = [comparison.measure(cell, width=WIDTH, seconds=seconds) for cell in cells]
    return {
        "cells": [
            {
                "cell": str(cell),
                "rounds": record.rounds,
                "rows": [
                    {
                        "contender": entry.label,
                        **entry.model_dump(
                            include={
                                *("latency_ms_p50", "latency_ms_p95"),
                                *("ratio", "ratio_low", "ratio_high"),
                            }
                        ),
                    }
                    for entry in record.entries
                ],
            }
            for cell, record in zip(cells, records, strict=True)
        ]
    }
