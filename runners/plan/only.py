"""Some trials of a study: ``--only method=lora --only seed=0``, and what a part does of them.

Values of one key are alternatives, and a trial has to fit every key. The split into parts is that of the
whole study (:mod:`runners.plan.parts`): a part does what is its own of what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from methods.errors import nearest
from reports import text
from runners.plan.contenders import parse_contender
from runners.plan.errors import SpecError
from runners.plan.parts import Part
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.plan.tuning import Search

_OF: Final[dict[str, Callable[[TrialSpec], str]]] = {
    "model": lambda spec: spec.model,
    "task": lambda spec: spec.task,
    "method": lambda spec: spec.method,
    "seed": lambda spec: str(spec.seed),
}
"""What a trial can be chosen by."""

KEYS: Final = tuple(_OF)


@dataclass(frozen=True)
class Only:
    """What was asked for of a study."""

    values: tuple[tuple[str, str], ...]
    """Keys and values, in the order in which they were typed."""

    @classmethod
    def parse(cls, given: Sequence[str]) -> Self:
        """Read ``method=lora``, ``method=lora:rank=4``, ``task=mrpc``, ``model=embedded`` and ``seed=0``.

        Raises:
            SpecError: it is written otherwise; one sentence.
        """
        found = []
        for one in given:
            key, equals, value = one.partition("=")
            if not equals or not value:
                raise SpecError(f"received --only {one!r}, expected KEY=VALUE, such as method=lora.")
            if key not in _OF:
                raise SpecError(f"received --only {one}, which has no key {key!r}; {nearest(key, _OF)}.")
            found.append((key, value))
        return cls(tuple(dict.fromkeys(found)))

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.values)

    def check(self, study: Study) -> None:
        """Refuse what selects nothing of a study.

        Raises:
            SpecError: a value does, or all of them together; one sentence that says what there is.
            MethodError: a value names options that the method does not have.
        """
        trials = [*study.specs, *(spec for search in study.searches for spec in search.reported)]
        for key, value in self.values:
            if not any(_fits(spec, key, value) for spec in trials):
                there = dict.fromkeys(_told(spec, key, value) for spec in trials)
                raise SpecError(
                    f"received --only {key}={value}, and the study {study.name} has no such {key}; "
                    f"{nearest(value, there)}."
                )
        if not any(self._takes(spec) for spec in trials):
            asked = text.listing([f"--only {key}={value}" for key, value in self.values])
            raise SpecError(
                f"received {asked}, and no trial of the study {study.name} is all of that: expected values "
                "that go together."
            )

    def of(self, study: Study) -> Study:
        """What is asked for of a study or of a part of it, in its order; perhaps nothing."""
        searches = (replace(search, reported=self._of_search(search)) for search in study.searches)
        return replace(
            study,
            title=f"{study.title}, only {self}",
            specs=tuple(filter(self._takes, study.specs)),
            searches=tuple(search for search in searches if search.reported),
        )

    def _of_search(self, search: Search) -> tuple[TrialSpec, ...]:
        return tuple(filter(self._takes, search.reported))

    def _takes(self, spec: TrialSpec) -> bool:
        return all(
            any(_fits(spec, key, value) for key, value in self.values if key == asked)
            for asked in {key for key, _ in self.values}
        )


def chosen(study: Study, part: Part | None, only: Only | None) -> Study:
    """What is to be run of a study.

    Args:
        study: the whole of it.
        part: which part of the study; None for all.
        only: what is asked for; None for all.

    Raises:
        SpecError, MethodError: as :meth:`Only.check`.
    """
    if only is not None:
        only.check(study)
    if part is not None:
        study = part.of(study)
    return study if only is None else only.of(study)


def _fits(spec: TrialSpec, key: str, value: str) -> bool:
    """Whether a trial is one of those that a value stands for."""
    if key == "method" and ":" in value:
        asked = _asked(value)
        return spec.method == value.partition(":")[0] and asked.items() <= spec.options.items()
    if key == "model":
        return value in (spec.model, spec.model.rstrip("/").rpartition("/")[2])
    return _OF[key](spec) == value


def _asked(value: str) -> dict[str, Any]:
    """The options that ``lora:rank=4`` names, as a resolved spec has them."""
    import methods

    choice = parse_contender(value)
    told = methods.get(choice.method).options.parse(choice.method, choice.options).told()
    return {name: told[name] for name in choice.options}


def _told(spec: TrialSpec, key: str, value: str) -> str:
    """What a trial has of a key, as it would be typed."""
    if key != "method" or ":" not in value or spec.method != value.partition(":")[0]:
        return _OF[key](spec)
    shown = {
        name: "+".join(map(str, v)) if isinstance(v := spec.options[name], list | tuple) else v
        for name in _asked(value)
    }
    return f"{spec.method}:{','.join(f'{name}={v}' for name, v in shown.items())}"
