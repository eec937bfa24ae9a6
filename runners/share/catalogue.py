"""What the two packages say of their methods and tasks, and we of models, for the pages of a report."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import methods
import tasks
from reports import yaml_text
from reports.site.parts.catalogue import Catalogue, MethodCard, ModelCard, OptionCard, TaskCard

MODELS = Path(__file__).parents[1] / "models.yaml"
"""What is known of models."""


def catalogue() -> Catalogue:
    """A card for every method, every task, and every model of which there is something to say."""
    papers, citations = bibliography(methods), bibliography(tasks)
    return Catalogue(
        methods=tuple(_method(methods.get(name), papers) for name in methods.names()),
        tasks=tuple(_task(tasks.get(name), citations) for name in tasks.names()),
        models=tuple(
            ModelCard(name=name, **known)
            for name, known in yaml_text.load(MODELS.read_text(encoding="utf-8")).items()
        ),
    )


def bibliography(package: ModuleType) -> dict[str, str]:
    """The BibTeX entries of a package by key."""
    text = (Path(str(package.__file__)).parent / "CITATIONS.bib").read_text(encoding="utf-8")
    return {match[1]: match[0] for match in re.finditer(r"^@\w+\{([^,]+),$.*?^\}$", text, re.M | re.S)}


def describe_options(method: methods.Method[Any]) -> list[dict[str, Any]]:
    """Name, default and description of each option."""
    defaults = method.options().model_dump(mode="json")
    return [
        {"name": name, "default": defaults[name], "description": field.description}
        for name, field in method.options.model_fields.items()
    ]


def shown(value: Any) -> str:
    """A default as it would be typed."""
    if value is None:
        return "none"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _method(method: methods.Method[Any], papers: dict[str, str]) -> MethodCard:
    notes = inspect.getdoc(sys.modules[type(method).__module__]) or ""
    named = dict.fromkeys(re.findall(r"arXiv (\d{4}\.\d{4,5})", f"{method.card.source}\n{notes}"))
    cited = [entry for number in named for entry in papers.values() if f"{{{number}}}" in entry]
    return MethodCard(
        name=method.name,
        summary=method.card.summary,
        notes=notes,
        source=method.card.source,
        places=dict(method.card.places),
        mergeable=method.mergeable,
        learning_rate=method.card.learning_rate,
        options=tuple(
            OptionCard(
                name=option["name"], default=shown(option["default"]), description=option["description"]
            )
            for option in describe_options(method)
        ),
        citation="\n\n".join(cited) or None,
        origin=methods.origin(method.name),
    )


def _task(task: tasks.TaskSpec, citations: dict[str, str]) -> TaskCard:
    return TaskCard(
        name=task.name,
        title=task.title,
        description=task.description,
        license=task.license,
        homepage=task.homepage,
        citation=citations.get(task.citation),
        collection=task.collection,
        origin=tasks.origin(task.name),
    )
