"""``paretune check-data``: what would be used of data of one's own, before a study of it is written."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from runners.cli import complete, shared_texts
from runners.cli.options import Data, Json, err, out, say, table

if TYPE_CHECKING:
    from runners.work.own_data import Lengths
    from tasks.own.preparing import Resolved

MOST_LABELS = 12
"""Labels that are shown one by one."""


def check_data(
    files: Annotated[
        list[str],
        typer.Argument(help="Files of the training split, or one that is split; or a study."),
    ],
    report: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Of the split that is reported on.", show_default="a part of the one file"
        ),
    ] = None,
    selection: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Of the split that selects.", show_default="a part of the training rows"
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Of the text; twice for pairs.", show_default="text"),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of the label.", show_default="label")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Of the text to write, in place of a label.", show_default="none"
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Prompt for a model that writes, such as `{text} Summary:`.",
            show_default="the text alone",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="What ranks; again for others beside it.", show_default="told by the data"
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="The label that `--metric f1` is of.", show_default="none"),
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="classification, regression or token_classification.",
            show_default="told by the data",
            autocompletion=complete.words("classification", "regression", "token_classification"),
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the task.", show_default="from the files")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of the split of one file.", show_default="0")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Tell lengths in its tokens: hub id, folder, `embedded`.",
            show_default="lengths are not told",
            autocompletion=complete.models,
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            metavar="N",
            min=8,
            help="Tell what this longest input cuts too.",
            show_default="64, 128, 256 and 512",
        ),
    ] = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Show what would be used of files: counts, labels, lengths, the metric and why, and a study's lines.

    Whatever is wrong with them is said in one sentence, with the numbers of the rows, counted from 1 after
    the header. Of a study's tasks it is told as well which share texts: what is found on them is found once.
    """
    from runners.plan import own_tasks
    from runners.plan.errors import SpecError

    limits, others = [] if max_length is None else [max_length], list[str]()
    if any(map(_is_study, files)):
        _check_alone(
            files,
            {
                "--report": report,
                "--selection": selection,
                "--text": text,
                "--label": label,
                "--target": target,
                "--template": template,
                "--metric": metric,
                "--positive": positive,
                "--problem": problem,
                "--name": name,
                "--seed": seed,
            },
        )
        told, others, first, limit, folder = _of_study(files[0])
        model, data = model or first, folder if data is None else data
        limits += [] if limit is None else [limit]
    elif data is not None:
        raise SpecError(
            f"received --data {data!r} with files, expected it with a study, whose other tasks it has."
        )
    else:
        parts: dict[str, Any] = {"file": files} if report is None else {"train": files, "report": report}
        optional: dict[str, Any] = {
            "selection": selection,
            "label": label or ("label" if target is None else None),
        }
        optional |= {"target": target, "metric": metric, "positive": positive, "problem": problem}
        optional |= {"seed": seed, "template": template}
        told = [
            {
                "name": name or _name(files[0], alone=report is None),
                **parts,
                "text": text or ["text"],
                **{key: value for key, value in optional.items() if value is not None},
            }
        ]
        told = [{key: _short(value) for key, value in one.items()} for one in told]
        own_tasks.check_name(str(told[0]["name"]))
    with err.status("Reading data ..."):
        from tasks.own import preparing

        found = [preparing.resolve(one) for one in told]
    rows = [_facts(one, task, model, limits) for one, task in zip(told, found, strict=True)]
    rows += [{"name": name} for name in others]
    if len(rows) > 1:
        shared_texts.compare(rows, {task.name: task.data for task in found}, data)
    if json_:
        print(json.dumps(rows))
        return
    for row, task in zip(rows, found, strict=False):
        _show(row, task)
    if len(rows) > 1:
        shared_texts.show(rows)
    if not found:
        return
    if model is None and max_length is not None:
        say("--max-length counts tokens, which only --model MODEL tells of: it was passed over.")
    elif model is None:
        say("--model MODEL tells the lengths in its tokens, and what would be cut.")


def _check_alone(files: list[str], given: dict[str, Any]) -> None:
    """A study says all of its tasks."""
    from reports import text
    from runners.plan.errors import SpecError

    beside = [*files[1:], *(option for option, value in given.items() if value is not None)]
    if beside or len(files) > 1:
        raise SpecError(
            f"received the study {files[0]!r} and {text.listing(beside)}, expected one of the two: files "
            "with what is said of them, or a study, which says it."
        )


def _is_study(word: str) -> bool:
    """Whether a word on the command line is a study's file or the name of a built-in one."""
    from runners.plan.study import built_in

    path = Path(word)
    return path.suffix.lower() in (".yaml", ".yml") or (word in built_in() and not path.exists())


class _Told(NamedTuple):
    """What a study says of its data."""

    own: list[dict[str, Any]]
    others: list[str]
    model: str | None
    """The first."""
    max_length: int | None
    folder: str | None
    """Of the other tasks' data."""


def _of_study(study: str) -> _Told:
    from runners.plan.errors import SpecError
    from runners.plan.study import content, entry

    found = content(study)
    listed = found.get("tasks")
    entries = [entry(item, "task") for item in listed] if isinstance(listed, list) else []
    own = [one.own for one in entries if one.own is not None]
    others = list(dict.fromkeys(one.name for one in entries if one.own is None))
    if not own and len(others) < 2:
        raise SpecError(
            f"{study} has no task of your own data, expected one such as `{{name: intents, train: "
            "train.csv, report: test.csv}`, or several tasks, of which it is told what texts they share."
        )
    models, protocol = found.get("models"), found.get("protocol")
    first = str(models[0]) if isinstance(models, list) and models else None
    limit = protocol.get("max_length") if isinstance(protocol, dict) else None
    folder = found.get("data")
    limit = limit if isinstance(limit, int) else None
    return _Told(own, others, first, limit, folder if isinstance(folder, str) else None)


def _name(file: str, *, alone: bool) -> str:
    """What a task is called where nothing is said: its one file's name, or that of their folder."""
    path = Path(file).expanduser().absolute()
    return re.sub("[^A-Za-z0-9._-]+", "-", path.stem if alone else path.parent.name).strip("-._") or "mine"


def _short(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _facts(told: dict[str, Any], task: Resolved, model: str | None, limits: list[int]) -> dict[str, Any]:
    from runners.work import own_data

    lengths = {}
    if model is not None:
        with err.status("Reading the tokenizer ..."):
            lengths = own_data.lengths(task, model, sorted({*own_data.LIMITS, *limits}))
    scores = own_data.majority(task)
    return {
        "name": task.name,
        "source": task.data.source,
        **task.own.model_dump(mode="json"),
        "sizes": own_data.sizes(task),
        "dropped_train_examples": task.data.dropped_train_examples,
        "left_out": {name: one.left_out for name, one in task.data.further.items()},
        "label_counts": own_data.label_counts(task),
        "majority": {name: value if math.isfinite(value) else None for name, value in scores.items()},
        "model": model,
        "lengths": {name: _lengths(one) for name, one in lengths.items()},
        "notes": list(task.notes),
        "study": _lines(told),
    }


def _lengths(one: Lengths) -> dict[str, Any]:
    cut = {str(limit): rows for limit, rows in one.cut.items()}
    return {"median": one.median, "p95": one.p95, "longest": one.longest, "cut": cut}


def _lines(told: dict[str, Any]) -> str:
    """The lines of a study, to be pasted."""
    import yaml

    from tasks.own.declaration import KEYS

    told = {key: told[key] for key in KEYS if key in told}
    flow = yaml.safe_dump([told], default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return f"tasks:\n  - {flow.strip()[1:-1]}"


def _show(row: dict[str, Any], task: Resolved) -> None:
    for note in row["notes"]:
        out.print(note, markup=False, highlight=False, soft_wrap=True)
    counts = row["label_counts"]
    if counts:
        names, train = row["labels"], counts["train"]
        order = sorted(range(len(names)), key=lambda number: -train[number])
        shown = table("label", *(f"{part}" for part in counts), "of train")
        for number in order[:MOST_LABELS]:
            share = f"{train[number] / max(sum(train), 1):.1%}"
            shown.add_row(
                " ".join(names[number].split()), *(f"{some[number]:,}" for some in counts.values()), share
            )
        if len(order) > MOST_LABELS:
            rest = order[MOST_LABELS:]
            sums = [sum(some[number] for number in rest) for some in counts.values()]
            share = f"{sums[0] / max(sum(train), 1):.1%}"
            shown.add_row(f"{len(rest)} more", *(f"{one:,}" for one in sums), share)
        out.print(shown)
    if row["lengths"]:
        limits = list(next(iter(row["lengths"].values()))["cut"])
        head = (f"over {limit}" for limit in limits)
        shown = table(f"tokens of {row['model']}", "median", "95 %", "longest", *head)
        for part, one in row["lengths"].items():
            cells = [f"{one[name]:,}" for name in ("median", "p95", "longest")]
            count = row["sizes"].get(part, row["sizes"]["train"])  # targets are those of the training rows
            shares = [f"{rows / count:.1%}" if rows else "–" for rows in one["cut"].values()]
            shown.add_row(part, *cells, *shares)
        out.print(shown)
    scores = ", ".join(f"{name} {'–' if v is None else f'{v:.3f}'}" for name, v in row["majority"].items())
    answers = {"regression": "the mean of the training labels", "generation": "the most frequent target"}
    answer = answers.get(row["problem"], "the most frequent training label")
    out.print(f"Always answering {answer} scores {scores}.", markup=False, highlight=False, soft_wrap=True)
    out.print(row["study"], markup=False, highlight=False, soft_wrap=True)
