"""A part of a study: what one of several machines does of it, all into one folder.

The split depends on the study alone, not on what is done of it, so that it stays as it is while parts end and
are begun again. A setting of a method on a model and task, with all its seeds, is in one part; so is a search
with the trials that follow it. Settings are dealt out in turn, in an order that has nothing to do with the
study's: where nine methods are dealt to three parts, the slowest of every task would be in one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from reports.records.identity import spec_hash
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import Study

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """The ``index``-th of ``count`` parts, counted from 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2/8``.

        Raises:
            SpecError: it is no such thing, or there is no such part; one sentence.
        """
        found = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", text)
        if found is None:
            raise SpecError(f"received --part {text!r}, expected I/N such as 1/8: the first of eight parts.")
        index, count = int(found[1]), int(found[2])
        if count < 1:
            raise SpecError(f"received --part {text}, expected at least one part, as in 1/1.")
        if not 1 <= index <= count:
            nearest = min(max(index, 1), count)
            raise SpecError(
                f"received --part {text}, expected one from 1/{count} to {count}/{count}, such as "
                f"{nearest}/{count}: parts are counted from 1."
            )
        return cls(index, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def of(self, study: Study) -> Study:
        """What this part does of a study, in its order."""
        return replace(
            study,
            title=f"{study.title}, part {self}",
            specs=self._share(study.specs, setting),
            searches=self._share(study.searches, lambda search: setting(search.default)),
        )

    def _share(self, items: Sequence[T], key: Callable[[T], str]) -> tuple[T, ...]:
        keys = [key(item) for item in items]
        part = {unit: place % self.count for place, unit in enumerate(sorted(set(keys)))}
        return tuple(item for item, unit in zip(items, keys, strict=True) if part[unit] == self.index - 1)


def setting(spec: TrialSpec) -> str:
    """Equal for trials that differ in their seed alone."""
    return spec_hash(spec.model_dump(mode="json", exclude={"seed"}))
