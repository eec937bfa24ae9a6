"""What the trials of a study are called: by the settings in which they differ, so that no two look alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from reports.records.identity import Identity
from reports.stats.labels import labels
from reports.text import setting
from runners.plan.spec import TrialSpec
from runners.plan.tuning import Search

Key = tuple[str, str, str]
"""Model, task, and what is the same for all seeds."""


class Names:
    """The names of a study's trials.

    Rows of one method on one model and task are told apart as on a page of results, by
    :func:`reports.stats.labels.labels`. What a search chooses is in no row's name.

    Args:
        specs: all trials of the study.
        searches: where there are some, they come in the trials' place.
    """

    def __init__(self, specs: Iterable[TrialSpec], searches: Iterable[Search] = ()) -> None:
        self._searches = tuple(searches)
        rows = [_identity(search.reported[0], search.space) for search in self._searches]
        rows = rows or [_identity(spec) for spec in specs]
        cells: dict[tuple[str, str], dict[Key, Identity]] = defaultdict(dict)
        for row in rows:
            cells[row.model, row.task].setdefault(_key(row), row)
        self._rows = {
            key: name
            for cell in cells.values()
            for key, name in zip(cell, labels([*cell.values()]), strict=True)
        }
        self.several_models = len({row.model for row in rows}) > 1

    def row(self, spec: TrialSpec) -> str:
        """What a trial's row is called, whatever its seed: ``lora``, or ``lora (rank=4)`` beside another."""
        search = self.search(spec)
        known = _identity(search.reported[0], search.space) if search else _identity(spec)
        return self._rows.get(_key(known), spec.method)

    def trial(self, spec: TrialSpec) -> str:
        """What a trial is called, e.g. ``rotten_tomatoes / lora (rank=4) / seed 0``."""
        search = self.search(spec) if spec.search else None
        which = f"search at {at(search.values_of(spec))}" if search else f"seed {spec.seed}"
        which += f", seed {spec.seed}" if search and len(search.seeds) > 1 else ""
        place = [spec.model] if self.several_models else []
        return " / ".join([*place, spec.task, self.row(spec), which])

    def search(self, spec: TrialSpec) -> Search | None:
        """The search that a trial is of, or that chose its settings."""
        return next((search for search in self._searches if search.has(spec)), None)


def at(values: Mapping[str, Any]) -> str:
    """A setting of a search: ``learning rate 0.001, rank 8``."""
    return ", ".join(f"{name.replace('_', ' ')} {setting(value)}" for name, value in values.items())


def _identity(spec: TrialSpec, left_out: Iterable[str] = ()) -> Identity:
    """What a row's name can tell; its seed is no part of it."""
    out = set(left_out)
    options = {name: value for name, value in spec.options.items() if name not in out}
    settings = spec.protocol.model_dump(mode="json", exclude=out)
    return Identity(spec.model, spec.task, spec.method, 0, options, settings)


def _key(row: Identity) -> Key:
    return row.model, row.task, row.variant
