"""``paretune compare``: two methods side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from runners.cli.choose import Boards
from runners.cli.options import Json, err, out, say

if TYPE_CHECKING:
    from runners.choosing.predicted import Prediction
    from runners.choosing.versus import Versus


def compare(
    first: Annotated[str, typer.Argument(help="A method as a board names it, or NAME:KEY=VALUE,..")],
    second: Annotated[str, typer.Argument(help="The other one.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Prefer scores on it, and predict what both would cost there.",
            show_default="any model",
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Compare on tasks like this one.", show_default="any task")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows of a training batch.")] = 32,
    length: Annotated[int, typer.Option("--length", min=1, help="Tokens in each row.")] = 128,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=1, help="Within which one is as good as the other.")
    ] = 0.01,
    boards: Boards = None,
    json_: Json = False,
) -> None:
    """Put two methods side by side: what their runs decide, scores, failures and costs.

    The verdict is the board's own: its interval holds for all comparisons of that board at once.
    """
    from runners.choosing.answer import Question
    from runners.choosing.boards import Sources
    from runners.choosing.limits import Limits
    from runners.choosing.predicted import Sizes, predict
    from runners.choosing.versus import compare as side_by_side
    from runners.known import location

    if model is not None:
        location(model)
    sizes = Sizes(model or "embedded", batch, length)
    like = Question(sizes, Limits(), task=task).likeness()
    with err.status("Reading records ...") as status:
        sources = Sources.found(boards)
        found = side_by_side(first, second, sources, model=model, like=like, task=task, margin=margin)
        choices = [found.board.choices[side.label] for side in (found.first, found.second)]
        predicted = predict(sizes, choices, told=status.update) if model is not None else []
    for note in found.notes:
        say(note)
    if json_:
        print(json.dumps(_told(found, predicted)))
    else:
        _print(found, predicted, sizes.batch, sizes.length)


def _told(found: Versus, predicted: list[Prediction]) -> dict[str, Any]:
    verdict = found.verdict
    ends = verdict.difference.interval if verdict and verdict.difference else None
    return {
        "answer": found.headline,
        "first": found.first.label,
        "second": found.second.label,
        "decision": verdict.decision if verdict else "not decided",
        "difference": verdict.difference.value if verdict and verdict.difference else None,
        "interval": list(ends) if ends else None,
        "margin": verdict.margin if verdict else None,
        "reach": asdict(found.board.reach),
        "tasks": [
            {
                "task": one.section.task,
                "metric": one.section.info.main_metric if one.section.info else None,
                **{
                    which: {
                        "mean": row.score.mean,
                        "interval": list(row.score.interval) if row.score.interval else None,
                        "runs": row.risk.seeds,
                        "learned_nothing": row.risk.lost,
                    }
                    for which, row in (("first", one.first), ("second", one.second))
                },
            }
            for one in found.tasks
        ],
        "costs": {
            name: {
                "first": cost,
                "second": found.second.candidate.costs.get(name),
                "ratio": found.ratio(name),
            }
            for name, cost in found.first.candidate.costs.items()
        },
        "predicted": [{"label": one.choice.label, **one.costs} for one in predicted],
        "notes": list(found.notes),
    }


def _print(found: Versus, predicted: list[Prediction], batch: int, length: int) -> None:
    from reports import text
    from runners.choosing.boards import shown

    reach = found.board.reach
    one, other = text.clean(found.first.label), text.clean(found.second.label)
    out.print(found.headline, style="bold", highlight=False, markup=False)
    whose = "Your own records" if found.board.own else "Published records"
    seeds = " or ".join(map(str, reach.seeds)) or "no"
    out.print(
        f"{whose}: {text.plural(len(reach.tasks), 'task')} on {shown(reach.model)}, {seeds} seeds; the "
        "interval holds for all pairs of this board at once.",
        highlight=False,
        markup=False,
    )
    scores = _table("task", one, other)
    for on in found.tasks:
        metric = f" ({on.section.info.main_metric.replace('_', ' ')})" if on.section.info else ""
        rows = [text.outcome(row) for row in (on.first, on.second)]
        scores.add_row(f"{text.name(on.section.task)}{metric}", *rows)
    out.print()
    out.print(scores)
    _print_costs(found, one, other)
    if predicted:
        _print_predicted(predicted, one, other, batch, length)


def _print_costs(found: Versus, one: str, other: str) -> None:
    from runners.choosing.answer import NAMES
    from runners.choosing.limits import told
    from runners.choosing.versus import TIMES

    table = _table("measured, the largest", one, other, "ratio")
    for name, cost in found.first.candidate.costs.items():
        ratio = found.ratio(name)
        pair = (cost, found.second.candidate.costs.get(name))
        cells = [_time(value) if name == "seconds" else told(name, value) for value in pair]
        table.add_row(
            TIMES.get(name, NAMES.get(name, name)), *cells, "–" if ratio is None else f"{ratio:.3g}"
        )
    out.print()
    out.print(table)


def _print_predicted(predicted: list[Prediction], one: str, other: str, batch: int, length: int) -> None:
    from runners.choosing.answer import NAMES
    from runners.choosing.limits import told

    table = _table(f"predicted, {batch} x {length} tokens", one, other, "ratio")
    first, second = (p.costs for p in predicted)
    for name, value in first.items():
        theirs = second[name]
        ratio = "–" if value is None or not theirs else f"{value / theirs:.3g}"
        table.add_row(NAMES[name], told(name, value), told(name, theirs), ratio)
    times = [p.step_seconds for p in predicted]
    ratio = "–" if times[0] is None or not times[1] else f"{times[0] / times[1]:.3g}"
    table.add_row("training step here", *map(_time, times), ratio)
    out.print()
    out.print(table)
    for p in predicted:
        if p.cannot is not None:
            line = f"{p.choice.label} cannot be used there: {p.cannot}"
            out.print(line, style="dim", highlight=False, markup=False)


def _time(value: float | None) -> str:
    from reports import text

    return text.seconds(value)


def _table(first: str, *others: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    made.add_column(first, overflow="fold")
    for column in others:
        made.add_column(column, justify="right", overflow="fold")
    return made
