"""``paretune methods``, ``paretune tasks`` and ``paretune studies``: what there is, and what it can do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from runners.cli import complete
from runners.cli.options import Json, out, say, table

if TYPE_CHECKING:
    from methods import Method
    from tasks import TaskSpec


def methods(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Say what each can do on it: a hub id, folder, config.json or e.g. `gpt2-medium`.",
            show_default="none: list the methods",
            autocompletion=complete.sizes,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """List the methods with their options, defaults and sources, or what each can do on a model.

    With --model each method is tried out with its default options on a small copy made from the model's
    configuration; no weights are read. Training, merging and the export to the PEFT library are tried under a
    classifier, if the architecture has one, and writing text under its language modelling head.
    """
    import methods as package

    if model is not None:
        _show_capabilities(model, json_=json_)
        return
    found = [package.get(name) for name in package.names()]
    _say_faults(package.faults())
    if json_:
        print(json.dumps([_describe_method(method) for method in found]))
        return
    for method in found:
        merges = "merges into the base" if method.mergeable else "does not merge"
        merges += "; peft has an equal" if method.card.peft else ""
        out.print(Text.assemble((method.name, "bold"), f"  {method.card.summary}"), highlight=False)
        if (whose := package.origin(method.name)) is not None:
            out.print(f"  not one of Paretune's: {whose}", markup=False, highlight=False, style="yellow")
        out.print(
            f"  {method.card.source}; {merges}; learning rate {method.card.learning_rate:g}",
            style="dim",
            highlight=False,
        )
        searched = [f"{name} {values}" for name, values in method.card.search_space.dimensions.items()]
        out.print(f"  searched: {'; '.join(searched)}", style="dim", highlight=False)
        for option in _describe_method(method)["options"]:
            default = "none" if option["default"] is None else option["default"]
            default = " ".join(map(str, default)) if isinstance(default, list) else default
            line = f"  {option['name']}={default}  {option['description']}"
            out.print(line, markup=False, highlight=False)


def tasks(json_: Json = False) -> None:
    """List the tasks with their data, metrics and licences."""
    import tasks as package

    found = [package.get(name) for name in package.names()]
    _say_faults(package.faults())
    if json_:
        rows = [
            {
                "name": task.name,
                "version": task.version,
                "title": task.title,
                "description": task.description,
                "problem_type": task.problem_type,
                "labels": list(task.labels),
                "text_columns": list(task.text_columns),
                "metrics": [
                    {"name": m.name, "higher_is_better": m.higher_is_better, "unit": m.unit}
                    for m in task.metrics
                ],
                "license": task.license,
                "homepage": task.homepage,
                "citation": task.citation,
                "further_reports": list(task.further_reports),
                "superseded_by": task.superseded_by,
                "origin": package.origin(task.name),
            }
            for task in found
        ]
        print(json.dumps(rows))
        return
    whose = {task.name: package.origin(task.name) for task in found}
    brought = any(whose.values())
    shown = table("task", "metrics", "what it is", "licence", *(["not Paretune's, but"] if brought else []))
    for task in found:
        cells = [task.name, ", ".join(m.name for m in task.metrics), _told(task), task.license]
        shown.add_row(*cells, *([whose[task.name] or ""] if brought else []))
    out.print(shown)


def _told(task: TaskSpec) -> str:
    """What a task is, what else it is scored on, and what has taken its place."""
    told = task.title
    if task.further_reports:
        told += f"; further report split: {', '.join(task.further_reports)}"
    return told if task.superseded_by is None else f"{told}; see {task.superseded_by}"


def studies(json_: Json = False) -> None:
    """List the studies that come with Paretune: the question that each answers, and its hours.

    Hours are those of the published records, one trial after another on two cores of a server; `~` where
    they are estimated from those of other studies, or planned, `<` where a limit ends the study.
    """
    from reports.records.identity import CLAIM
    from runners.plan import about
    from runners.plan import study as reader

    found = [reader.content(name) for name in reader.built_in()]
    rows = [
        {
            "name": content["name"],
            "kind": content.get("kind", "trials"),
            "settings": reader.parse_study(content).settings
            if content.get("kind", "trials") == "trials"
            else None,
            "title": content["title"],
            "question": about.question(content),
            "hours": _hours(content),
            "description": content["description"],
        }
        for content in found
    ]
    if json_:
        print(json.dumps(rows))
        return
    shown = table("study", "hours", "what it answers")
    for row in sorted(rows, key=lambda row: row["name"].startswith(CLAIM)):
        shown.add_row(row["name"], _short(row["hours"]), row["question"])
    out.print(shown)
    say("Hours on two cores; ~ estimated or planned, < at most, – not known. Yours: paretune plan STUDY.")


def _hours(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """The hours of a study and how they are known, by the content of its file; None if they are not."""
    from runners.plan.about import Hours
    from runners.plan.latency_study import parse_latency_study
    from runners.plan.serving_study import parse_serving_study

    timed: dict[str, Any] = {"latency": parse_latency_study, "serving": parse_serving_study}
    if (parse := timed.get(str(content.get("kind")))) is not None:
        return {"value": parse(content).most_seconds / 3600, "how": "at most"}
    return Hours.model_validate(content["hours"]).model_dump() if "hours" in content else None


def _short(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    mark = {"measured": "", "estimated": "~", "planned": "~", "at most": "<"}[found["how"]]
    return f"{mark}{found['value']:.2g}"


def _say_faults(faults: Sequence[str]) -> None:
    """Say what other packages bring in vain, beside the list of what there is."""
    for sentence in faults:
        say(sentence)


def _show_capabilities(name: str, *, json_: bool) -> None:
    """Print what each method can do on a model, and why not."""
    from runners.known import location

    location(name)
    from runners.measure.capability import abilities

    rows = abilities(name)
    acts = tuple(rows[0]["can"])
    if json_:
        print(json.dumps(rows))
        return
    shown, reasons = table("method", *acts), list[str]()
    for row in rows:
        cells = []
        for act in acts:
            if act not in row["why_not"]:
                cells.append("yes")
                continue
            # One number for methods that cannot for the same reason.
            why = re.sub(rf"(^|of ){row['method']}\b", r"\1it", row["why_not"][act])
            if why not in reasons:
                reasons.append(why)
            cells.append(f"no ({reasons.index(why) + 1})")
        shown.add_row(row["method"], *cells)
    out.print(shown)
    for number, why in enumerate(reasons, 1):
        out.print(f"({number}) {why}", markup=False, highlight=False, style="dim")


def _describe_method(method: Method[Any]) -> dict[str, Any]:
    from methods import origin
    from runners.share.catalogue import describe_options

    return {
        "name": method.name,
        "summary": method.card.summary,
        "source": method.card.source,
        "mergeable": method.mergeable,
        "learning_rate": method.card.learning_rate,
        "search_space": {name: d.describe() for name, d in method.card.search_space.dimensions.items()},
        "options": describe_options(method),
        "origin": origin(method.name),
    }
