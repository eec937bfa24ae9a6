"""``paretune flops``: what methods add to a forward pass and save in a training step, in FLOPs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from runners.cli import complete
from runners.cli.options import METHOD, Json, Options, Size, out, table

if TYPE_CHECKING:
    from runners.measure.flops import FlopReport
    from runners.plan.contenders import Choice


def flops(
    model: Size,
    options: Options = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", metavar="METHOD", help=METHOD, show_default="all", autocompletion=complete.methods
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Rows of the batch.")] = 32,
    length: Annotated[
        int, typer.Option("--length", metavar="N", min=1, help="The user's tokens in each row.")
    ] = 128,
    json_: Json = False,
) -> None:
    """Show the FLOPs of a forward pass and a training step, counted by torch and in closed form.

    No weights are loaded. Training with a frozen body saves a third of a step at most: the gradients of its
    activations are needed all the same.
    """
    from runners.known import location
    from runners.plan.contenders import contenders, parse_contenders

    location(model)
    parse_contenders(method or (), options or ())
    show(model, contenders(model, method, options or (), also_free=True), batch, length, json_=json_)


def show(model: str, choices: Sequence[Choice], batch: int, length: int, *, json_: bool = False) -> None:
    """Print the FLOPs of methods on a model.

    Raises:
        MethodError: unknown method or option, or the model has no place for it.
        ModelError: the configuration cannot be found.
        SpecError: the model takes fewer tokens, or nothing tells its FLOPs.
    """
    from runners.measure.flops import report

    reports = [(c.label, report(model, c.method, c.options, batch, length)) for c in choices]
    if json_:
        print(json.dumps([{"model": model, "method": label, **asdict(report)} for label, report in reports]))
        return
    headings = ("forward\nGFLOP", "of the\nbase", "training\nstep GFLOP", "of training\nall", "closed\nform")
    made = table("method", numbers=headings)
    for label, found in reports:
        made.add_row(
            label,
            f"{found.forward_flops / 1e9:,.3f}",
            f"{found.forward_flops / found.base_forward_flops:.3f}",
            f"{found.training_step_flops / 1e9:,.3f}",
            f"{found.training_step_flops / found.base_training_step_flops:.3f}",
            _agreement(found),
        )
    out.print(f"{model}, {batch} x {length} tokens", highlight=False)
    out.print(made)


def _agreement(report: FlopReport) -> str:
    """How the closed form and torch's count compare."""
    if report.closed_form is None:
        return "none"
    if report.counted is None:
        return "used, torch cannot count"
    difference = report.closed_form.training_step_flops / report.counted.training_step_flops - 1
    return "equal" if report.closed_form == report.counted else f"off by {difference:+.2%}"
