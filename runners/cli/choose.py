"""``paretune choose``: the answer for a reader's own model and limits."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from runners.cli.options import Json, err, out, say

if TYPE_CHECKING:
    from runners.choosing.answer import Answer
    from runners.choosing.predicted import Prediction

Boards = Annotated[
    list[Path] | None,
    typer.Option(
        "--boards",
        help="Records whose scores count, files or folders; may be repeated.",
        show_default="the published boards, and ./results",
    ),
]


def choose(
    model: Annotated[
        str, typer.Argument(help="A hub id, folder, config.json, `embedded`, or e.g. `bert-base`.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="Your task, if Paretune has it.", show_default="any task")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", help="A task of Paretune that yours is like.", show_default="any task"),
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", help="Of training, such as 8GB.", show_default="no limit")
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(
            "--max-latency", help="As a multiple of the base's, such as 1.05.", show_default="no limit"
        ),
    ] = None,
    max_params: Annotated[
        str | None,
        typer.Option(
            "--max-params", help="That train, such as 1% of the base, 300k or 1M.", show_default="no limit"
        ),
    ] = None,
    max_checkpoint: Annotated[
        str | None,
        typer.Option("--max-checkpoint", help="Of one trained method, such as 5MB.", show_default="no limit"),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            "--examples", min=1, help="How many training examples you have.", show_default="not said"
        ),
    ] = None,
    merge_allowed: Annotated[
        bool, typer.Option("--merge-allowed", help="Count the latency of what merges as merged.")
    ] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows of a training batch.")] = 32,
    length: Annotated[int, typer.Option("--length", min=1, help="Tokens in each row.")] = 128,
    served_batch: Annotated[
        int, typer.Option("--served-batch", min=1, help="Inputs at once where latency is told.")
    ] = 1,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=1, help="Within which a method is as good as another.")
    ] = 0.01,
    boards: Boards = None,
    no_timing: Annotated[
        bool, typer.Option("--no-timing", help="Time nothing here: no seconds, and no latency but ×1.")
    ] = False,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Write the study that would decide what is open.", show_default="no file"),
    ] = None,
    json_: Json = False,
) -> None:
    """Pick a method for a model within limits, and say what that rests on.

    What each method would cost on this model is predicted, and its times are taken on this machine with
    random weights; nothing is trained. Scores are those of the published boards and of your own records. Of
    the methods within every limit that no other is decided to be better than, the one with the best average
    rank leads; of it and those decided to be as good the cheapest is picked, by the limit that binds.
    """
    from runners.choosing.limits import Limits
    from runners.known import location

    limits = Limits.parse(
        memory=max_memory,
        latency=max_latency,
        params=max_params,
        checkpoint=max_checkpoint,
        merge_allowed=merge_allowed,
    )
    location(model)
    from runners.choosing import proposal
    from runners.choosing.answer import Question, answer
    from runners.choosing.boards import Sources
    from runners.choosing.predicted import Sizes

    question = Question(Sizes(model, batch, length, served_batch), limits, task, like, examples, margin)
    question.likeness()
    sources = Sources.found(boards)
    with err.status("Reading ...") as status:
        found = answer(question, sources, timed=not no_timing, say=status.update)
    if out_file is not None:
        proposal.write(found, out_file)
    for note in found.notes:
        say(note)
    if json_:
        print(json.dumps(_told(found)))
    else:
        _print(found, out_file)


def _told(found: Answer) -> dict[str, Any]:
    """Everything, as plain data."""
    from reports.stats.choice import RULE
    from runners.choosing import proposal

    board, question = found.board, found.question
    candidates = {one.label: one for one in board.evidence.candidates} if board else {}
    rows = []
    for one in found.predictions:
        label, score = one.choice.label, candidates.get(one.choice.label)
        rows.append(
            {
                "label": label,
                "method": one.choice.method,
                "options": dict(one.choice.options),
                **_numbers(one),
                "cannot": one.cannot,
                "ruled_out_by": list(found.ruled_out.get(label, ())),
                "rank": score.rank if score else None,
                "runs": score.risk.seeds if score else 0,
                "learned_nothing": score.risk.lost if score else None,
                "scores": _scores(found, label),
            }
        )
    choice = found.choice
    return {
        "answer": found.headline,
        "sentences": found.sentences,
        "rule": RULE,
        "pick": choice.pick if choice else None,
        "certainty": choice.certainty if choice else "no evidence",
        "leader": choice.leader if choice else None,
        "as_good": list(choice.alike) if choice else [],
        "not_decided": list(choice.open) if choice else [],
        "worse": list(choice.worse) if choice else [],
        "binding": choice.binding if choice else None,
        "limits": dict(found.limits),
        "sizes": asdict(question.sizes),
        "like": asdict(found.like) if found.like else None,
        "widened": found.widened,
        "reach": asdict(board.reach) if board else None,
        "own_records": board.own if board else False,
        "another_model": found.elsewhere,
        "methods": rows,
        "study": proposal.content(found) if proposal.contenders(found) else None,
        "study_seconds": proposal.seconds(found),
        "notes": list(found.notes),
    }


def _numbers(one: Prediction) -> dict[str, Any]:
    return {
        "parameters": one.parameters,
        "method_parameters": one.method_parameters,
        "checkpoint_bytes": one.checkpoint_bytes,
        "memory": asdict(one.memory) if one.memory else None,
        "forward_flops": one.forward_flops,
        "training_step_flops": one.step_flops,
        "step_seconds": one.step_seconds,
        "busy": one.busy,
        "latency": one.latency,
        "latency_merged": 1.0 if one.merges else None,
        "why_not": dict(one.why_not),
    }


def _scores(found: Answer, label: str) -> list[dict[str, Any]]:
    """On each task like the reader's, with the interval over seeds and examples."""
    board = found.board
    told = []
    for section in board.sections if board else ():
        for row in section.rows:
            if row.label == label and row.score.mean is not None:
                ends = row.score.interval
                told.append(
                    {
                        "task": section.task,
                        "metric": section.info.main_metric if section.info else None,
                        "mean": row.score.mean,
                        "interval": list(ends) if ends else None,
                        "runs": row.risk.seeds,
                        "learned_nothing": row.risk.lost,
                    }
                )
    return told


def _print(found: Answer, out_file: Path | None) -> None:
    from reports import text
    from runners.choosing import proposal

    out.print(found.headline, style="bold", highlight=False, markup=False)
    for sentence in found.sentences:
        _line(sentence)
    if found.ruled_out:
        out.print("\nRuled out by your limits", style="bold")
        for line in found.told_out:
            _line(line)
    sizes = found.question.sizes
    out.print()
    out.print(
        f"Predicted for {text.name(sizes.model)}: batches of {sizes.batch} x {sizes.length} tokens, latency "
        f"at {sizes.served} x {sizes.length}",
        style="bold",
        highlight=False,
        markup=False,
    )
    out.print(_table(found))
    for line in (*_marks(found), *found.untold):
        out.print(line, style="dim", highlight=False, markup=False)
    if not proposal.contenders(found):
        return
    hours = proposal.seconds(found)
    took = f", about {text.seconds(hours)} of training here" if hours else ""
    names = text.listing([one.choice.label for one in proposal.contenders(found)])
    out.print()
    if out_file is not None:
        _line(f"{out_file} compares {names}{took}: `paretune run {out_file}`.")
    else:
        _line(f"To compare {names} on this model{took}: --out FILE writes the study.")


def _line(sentence: str) -> None:
    out.print(sentence, highlight=False, markup=False)


def _marks(found: Answer) -> list[str]:
    """What the signs of the table mean."""
    merging = any(one.merges and one.latency != 1 for one in found.predictions if one.cannot is None)
    return [
        "step: a training step on this machine; rank: average over the tasks above, 1 is the best.",
        *(["m: ×1.00 once merged into the base."] if merging else []),
        *(
            ["Seconds and hours are those of a busy machine."]
            if any(p.busy for p in found.predictions)
            else []
        ),
    ]


def _table(found: Answer) -> Table:
    from reports import text
    from runners.choosing.limits import short

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("method", overflow="fold")
    for heading in ("trained", "memory", "check-\npoint", "step", "latency", "rank", "learned\nnothing", ""):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    ranks = {one.label: one for one in found.board.evidence.candidates} if found.board else {}
    for one in found.predictions:
        if one.cannot is not None:
            continue
        label, known = one.choice.label, ranks.get(one.choice.label)
        risk = known.risk if known else None
        table.add_row(
            text.clean(label),
            text.MISSING if one.parameters is None else short(one.parameters),
            text.size(one.memory.peak_training_bytes if one.memory else None),
            text.size(one.checkpoint_bytes),
            _seconds(one.step_seconds),
            _latency(one),
            text.MISSING if known is None or known.rank is None else f"{known.rank:.1f}",
            text.MISSING if risk is None or risk.lost is None else f"{risk.lost}/{risk.seeds}",
            _said(found, label),
            style="bold" if found.choice and label == found.choice.pick else None,
        )
    return table


def _seconds(value: float | None) -> str:
    from reports import text

    if value is not None and value < 1:
        return f"{1000 * value:.0f} ms"
    return text.seconds(value)


def _latency(one: Prediction) -> str:
    from reports import text

    own = text.MISSING if one.latency is None else f"×{one.latency:.2f}"
    return f"{own} m" if one.merges and one.latency != 1 else own


def _said(found: Answer, label: str) -> str:
    """What a method is within the limits, in a word or two."""
    choice = found.choice
    if label in found.ruled_out:
        return "out"
    if choice is None or (found.board is not None and label not in found.board.choices):
        return "no score"
    words = {"pick": (choice.pick,), "leads": (choice.leader,), "as good": choice.alike}
    words |= {"open": choice.open, "worse": choice.worse}
    return next((word for word, labels in words.items() if label in labels), "")
