"""``paretune flops``: what methods add to a forward pass and save in a training step, in FLOPs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from runners.flops import FlopReport
from runners.flops import report as report_on


def flops(
    model: str,
    contenders: Sequence[tuple[str, str, Mapping[str, Any]]],
    batch: int,
    length: int,
    *,
    json_: bool = False,
) -> None:
    """Print the FLOPs of methods on a model, without loading its weights.

    Args:
        model: a hub id, folder, ``config.json``, ``embedded`` or the name of a published architecture.
        contenders: label, method and options of each.
        batch: examples.
        length: tokens of each.
        json_: print JSON instead of a table.

    Raises:
        MethodError: unknown method or option, or the model has no place for it.
        ModelError: the configuration cannot be found.
        SpecError: the model takes fewer tokens, or nothing tells its FLOPs.
    """
    reports = [(label, report_on(model, name, options, batch, length)) for label, name, options in contenders]
    if json_:
        print(json.dumps([{"model": model, "method": label, **asdict(report)} for label, report in reports]))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method")
    for column in ("forward GFLOP", "of the base", "training step GFLOP", "of training all", "closed form"):
        table.add_column(column, justify="right")
    for label, report in reports:
        table.add_row(
            label,
            f"{report.forward_flops / 1e9:,.3f}",
            f"{report.forward_flops / report.base_forward_flops:.3f}",
            f"{report.training_step_flops / 1e9:,.3f}",
            f"{report.training_step_flops / report.base_training_step_flops:.3f}",
            _agreement(report),
        )
    out = Console()
    out.print(f"{model}, {batch} x {length} tokens", highlight=False)
    out.print(table)


def _agreement(report: FlopReport) -> str:
    """How the closed form and torch's count compare."""
    if report.closed_form is None:
        return "none"
    if report.counted is None:
        return "used, torch cannot count"
    difference = report.closed_form.training_step_flops / report.counted.training_step_flops - 1
    return "equal" if report.closed_form == report.counted else f"off by {difference:+.2%}"
