"""A study that is typed: ``--task mrpc --method lora:rank=4 --seeds 3``, and the file that it equals."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any, Final

from reports import text, yaml_text
from reports.records.atomic import write_atomically
from reports.records.identity import CLAIM, INTRINSIC
from runners.plan.contenders import Choice, parse_contenders, parse_options
from runners.plan.costs import NONE
from runners.plan.errors import SpecError
from runners.plan.study import content as read_content
from runners.plan.study import limited

FILE: Final = "study.yaml"
"""What was typed lies under this name beside its records."""

_LINES: Final = {
    "--task": "tasks: [mrpc]",
    "--method": "methods: [lora]",
    "--steps": "protocol: {steps: 200}",
    "--protocol": "protocol: {batch_size: 16}",
    "--no-costs": "costs: none",
    "KEY=VALUE": "methods: [{lora: {rank: 4}}]",
}
"""What a study file says in place of an option, such as it is."""

_LONGEST: Final = 60
"""Of a name, before it is cut."""
_MOST_SEEDS: Final = 10_000


@dataclass(frozen=True)
class Typed:
    """What is typed where no study is named."""

    models: Sequence[str] = ()
    """As a study names them; none for `embedded`."""
    tasks: Sequence[str] = ()
    methods: Sequence[str] = ()
    """Each as NAME or NAME:KEY=VALUE,KEY=VALUE."""
    seeds: str | None = None
    """How many, or which, see :func:`seeds_of`; None for one."""
    steps: int | None = None
    """Of a training."""
    protocol: Sequence[str] = ()
    """Each as KEY=VALUE of the training protocol."""
    no_costs: bool = False
    """Whether costs are left out."""
    options: Sequence[str] = ()
    """Of the one method, each as KEY=VALUE."""

    def content(self, data: str | None = None, limit: int | None = None) -> dict[str, Any]:
        """The content of the study file that says the same.

        Args:
            data: the folder of data.
            limit: the most examples that a trial trains on, and scores of a split.

        Raises:
            SpecError: a task or a method is missing, or something is written otherwise; one sentence.
            MethodError: an unknown method, option or value.
        """
        for name, given in (("--task", self.tasks), ("--method", self.methods)):
            if not given:
                raise SpecError(
                    f"received neither a study nor {name}, expected a YAML file, a built-in study (see "
                    "`paretune studies`), or --task and --method (see `paretune tasks`, `paretune methods`)."
                )
        stated = parse_options(self.protocol)
        if self.steps is not None:
            if "steps" in stated:
                raise SpecError(
                    f"received --steps {self.steps} and --protocol steps={stated['steps']}, expected one."
                )
            stated["steps"] = self.steps
        stated = limited(stated, limit)
        models = list(self.models) or ["embedded"]
        return {
            "name": name_of(models, self.tasks),
            "models": models,
            "tasks": list(self.tasks),
            "methods": [_entry(one) for one in parse_contenders(self.methods, self.options)],
            "seeds": self._seeds() or [0],
            **({"data": data} if data is not None else {}),
            **({"protocol": stated} if stated else {}),
            **({"costs": NONE} if self.no_costs else {}),
        }

    def beside(self, study: str) -> dict[str, Any]:
        """The content of a study that is named; models and seeds that are typed take the place of its own.

        Raises:
            SpecError: something else is typed as well, there is no such study, or it is one of a claim, whose
                rule was written for its models and seeds; one sentence.
        """
        values = (getattr(self, one.name) for one in fields(self) if one.name not in ("models", "seeds"))
        if given := [name for name, value in zip(_LINES, values, strict=True) if value]:
            lines = text.listing([f"`{_LINES[name]}`" for name in given])
            raise SpecError(
                f"received the study {study!r} and {text.listing(given)}, expected one of the two: a study "
                f"says what is run, as {lines}, and --only KEY=VALUE runs a part of it."
            )
        found = read_content(study)
        own = {"--model": ("models", list(self.models)), "--seeds": ("seeds", self._seeds())}
        given = [option for option, (_, value) in own.items() if value]
        if given and (found.get("kind", "trials") != "trials" or _says_all(found)):
            raise SpecError(
                f"received the study {study!r} and {text.listing(given)}, expected one of the two: it says "
                "on which models and with which seeds its trials are run."
            )
        return {**found, **dict(own[option] for option in given)}

    def _seeds(self) -> list[int]:
        return seeds_of(self.seeds) if self.seeds is not None else []


def _says_all(found: Mapping[str, Any]) -> bool:
    """Whether a study is one whose trials were chosen for what it is to show."""
    return str(found.get("name")).startswith((CLAIM, INTRINSIC))


def seeds_of(typed: str) -> list[int]:
    """Read ``3`` as the seeds 0, 1 and 2, and ``0,5,7`` or ``5,`` as those that it names.

    Raises:
        SpecError: it is neither; one sentence.
    """
    parts = typed.strip().removesuffix(",").split(",")
    if not all(re.fullmatch(r"\s*[0-9]{1,10}\s*", part) for part in parts):
        raise SpecError(f"received --seeds {typed!r}, expected how many, such as 3, or which, such as 0,5,7.")
    if "," in typed:
        return [int(part) for part in parts]
    if not 1 <= int(typed) <= _MOST_SEEDS:
        raise SpecError(
            f"received --seeds {typed.strip()}, expected 1 to {_MOST_SEEDS}: it is how many; one seed is "
            f"named as `{typed.strip()},`."
        )
    return list(range(int(typed)))


def name_of(models: Sequence[str], tasks: Sequence[str]) -> str:
    """A name for a study: the same for all methods on one model and task, whose records belong together."""
    parts = [part.rstrip("/").rpartition("/")[2] for part in (*models, *tasks)]
    whole = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-._") or "study"
    if whole.startswith((CLAIM, INTRINSIC)):  # names that mean something
        whole = f"on-{whole}"
    if len(whole) <= _LONGEST:
        return whole
    return f"{whole[: _LONGEST - 9]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def keep(found: Mapping[str, Any], folder: Path) -> Path:
    """Put the study file into a folder; one that is there and says something else is left as it is.

    Returns:
        The file that says this.

    Raises:
        OSError: it cannot be written.
    """
    said = yaml_text.dump(dict(found)).encode()
    for number in count(1):
        path = folder / (FILE if number == 1 else FILE.replace(".", f"-{number}."))
        if not path.exists():
            write_atomically(path, said)
            return path
        if path.read_bytes() == said:
            return path
    raise AssertionError


def _entry(choice: Choice) -> str | dict[str, Any]:
    """A method as a study file lists it."""
    if not choice.options:
        return choice.method
    return {choice.method: choice.listed}
