"""One comparison: all that was measured with one model on one task."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reports import text
from reports.records.checks import RANGES
from reports.records.machine import Machine
from reports.records.origins import UNKNOWN, Origin, trusted
from reports.records.schema import FurtherReport, MetricInfo, Record, TaskInfo
from reports.stats.aggregate import Row, Spread

OTHERS: Final = "not measured by the maintainers"
"""Begins the reason of a row that could be ranked but for who measured it."""


@dataclass(frozen=True)
class Replication:
    """A trial that others ran again: the same method, settings and seeds as a ranked row."""

    label: str
    """Of the ranked row."""
    origin: Origin
    """Who ran it again."""
    scores: tuple[tuple[int, float, float], ...]
    """Seed, the score there and the score here."""


@dataclass(frozen=True)
class Section:
    """All that was measured with one model on one task; rows are sorted, the best first."""

    model: str
    task: str
    info: TaskInfo | None
    """Null when no trial got as far as loading the task."""
    rows: tuple[Row, ...]
    """What is ranked and compared."""
    apart: tuple[Row, ...] = ()
    """What is only shown, each row with its reason."""
    suite: str | None = None
    """Who measured it, where that is not Paretune."""
    reported: bool = False
    """Whether others measured all of it, beside what the maintainers did."""
    floors: Mapping[str, float] = field(default_factory=dict)
    """What the best constant answer scores by each metric, where that is known."""
    further: Mapping[str, FurtherReport] = field(default_factory=dict)
    """Further report splits by name, as one of the trials that were scored on them tells of each."""
    replications: tuple[Replication, ...] = ()

    @property
    def every_row(self) -> tuple[Row, ...]:
        """Ranked rows, then those apart."""
        return self.rows + self.apart

    @property
    def where(self) -> str:
        """The model, and that others report it where the maintainers measured none of it."""
        return f"{text.name(self.model)}{', reported by others' if self.reported else ''}"

    @property
    def own_rows(self) -> tuple[Row, ...]:
        """Every row of those whose section it is: the maintainers' where they measured any of it."""
        ours = tuple(row for row in self.every_row if trusted(row.origin))
        return ours or self.every_row

    @property
    def own_records(self) -> list[Record]:
        """Their trials."""
        return [record for row in self.own_rows for record in row.records]

    @property
    def records(self) -> list[Record]:
        """Every trial of the section, row by row."""
        return [record for row in self.every_row for record in row.records]

    @property
    def metric(self) -> MetricInfo | None:
        """The main metric, by which the rows are sorted."""
        return (
            next((m for m in self.info.metrics if m.name == self.info.main_metric), None)
            if self.info
            else None
        )

    def further_scores(self, row: Row) -> list[Spread | None]:
        """A row's score by the main metric on each of ``further``, None where it was not scored on that."""
        main = self.info.main_metric if self.info else ""
        return [row.further.get(name, {}).get(main) for name in self.further]

    @property
    def higher_is_better(self) -> bool:
        """Direction of the main metric."""
        return self.metric.higher_is_better if self.metric else True

    @property
    def floor(self) -> float | None:
        """What the best constant answer scores by the main metric, where that is known."""
        return self.floors.get(self.info.main_metric) if self.info else None

    @property
    def over_examples(self) -> bool:
        """Whether every interval of a score is for new examples as well as for new seeds."""
        spreads = [spread for row in self.rows for spread in (row.score, row.learned) if spread]
        known = [spread.over_examples for spread in spreads if spread.interval]
        return bool(known) and all(known)

    @property
    def machine(self) -> Machine | None:
        """The machine of most ranked rows, the first of equals: times are compared on it alone."""
        found = Counter(row.machine for row in self.rows if row.machine)
        return found.most_common(1)[0][0] if found else None

    def timed(self, row: Row) -> bool:
        """Whether a row's times may stand beside the others'."""
        return row.machine is not None and row.machine == self.machine

    @property
    def top(self) -> float | None:
        """The best score that the main metric's unit allows, where that is known."""
        ends = RANGES.get(self.metric.unit) if self.metric else None
        return (ends[1] if self.higher_is_better else ends[0]) if ends else None


def by_model(found: Sequence[Section]) -> list[list[Section]]:
    """The sections of each model that may be averaged over tasks, in order: one suite's, ours or others'."""
    groups: dict[tuple[str | None, str, bool], list[Section]] = defaultdict(list)
    for section in found:
        groups[section.suite, section.model, section.reported].append(section)
    return list(groups.values())


def measured_by(found: Iterable[Section]) -> list[Origin]:
    """Whoever measured the ranked rows, each once; empty among one's own results alone."""
    known = list(dict.fromkeys(row.origin for section in found for row in section.rows))
    return [] if known == [UNKNOWN] else known
