"""What the pages show: every comparison with its ranks and verdicts, worked out once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reports import text
from reports.records.identity import identity, trial_key
from reports.records.latency_schema import LatencyRecord
from reports.records.machine import Machine
from reports.records.origins import Origins, content_key, superseded
from reports.records.schema import Record
from reports.records.serving_schema import ServingRecord
from reports.records.tuning import how_set
from reports.site.parts.catalogue import Catalogue
from reports.site.parts.paths import MAIN, Paths
from reports.site.parts.provenance import Provenance, provenance
from reports.stats.across import Across, across
from reports.stats.aggregate import Row
from reports.stats.answer import answer
from reports.stats.section import Section
from reports.stats.sections import repeats, sections
from reports.stats.standing import Standing, placed, standing, standings
from reports.stats.verdict import MARGIN


@dataclass(frozen=True)
class Rank:
    """A row's place among the rows of its comparison: 1 is the best."""

    value: float | None
    text: str
    decided: bool
    """Whether it is an average over at least three seeds; otherwise it is the order of the scores."""


@dataclass(frozen=True)
class View:
    """One comparison (a model on a task) with everything that is said of it."""

    number: int
    section: Section
    standing: Standing | None
    ranks: dict[str, Rank]
    """By the row's label."""
    beside: list[str]
    """What the rows that others report are against those that are ranked."""
    folder: str = ""
    """Of the pages of its task and methods."""
    called: str = ""
    """Its model as people call it, with its size."""

    @cached_property
    def span(self) -> tuple[float, float] | None:
        """From the lowest mean score to the highest, for bars; None where there is no such range."""
        means = [row.score.mean for row in self.rows if row.score.mean is not None]
        return (min(means), max(means)) if means and min(means) < max(means) else None

    @property
    def where(self) -> str:
        """The model, and that others report it where the maintainers measured none of it."""
        return f"{self.called}{', reported by others' if self.section.reported else ''}"

    @property
    def decided(self) -> int:
        """How many pairs of methods the runs tell apart, or find as good: what a reader learns here."""
        found = self.standing.verdicts if self.standing else ()
        return sum(bool(verdict.sign) or verdict.as_good for verdict in found)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is ranked."""
        return self.section.rows

    @property
    def anchor(self) -> str:
        """Its name inside a page; ours, never foreign text."""
        return f"part-{self.number}"

    @property
    def busy(self) -> bool:
        """Whether the training time of some row was measured on a busy machine."""
        return any(row.busy_seeds for row in self.rows)

    @property
    def writes(self) -> bool:
        """Whether the model of some row writes."""
        return any(row.decoding for row in self.rows)

    @cached_property
    def lengths(self) -> list[int]:
        """Of the inputs that the latencies of its rows were measured with, in tokens."""
        latencies = [record.latency for row in self.rows for record in row.records]
        return sorted({one.sequence_length for one in latencies if one})

    @cached_property
    def answer(self) -> list[str]:
        """The answer in sentences."""
        return answer(self.section, self.standing)

    @cached_property
    def provenance(self) -> Provenance:
        """How it was measured."""
        return provenance(self.section)


@dataclass(frozen=True)
class Board:
    """All that a site is made from."""

    title: str
    records: tuple[Record, ...]
    views: tuple[View, ...]
    overall: tuple[Standing, ...]
    """For each model with several tasks, over all of them."""
    latencies: tuple[LatencyRecord, ...] = ()
    servings: tuple[ServingRecord, ...] = ()
    catalogue: Catalogue = field(default_factory=Catalogue)
    origins: Origins = field(default_factory=dict)
    """Who measured a trial; what is not in it is self-reported."""
    paths: Paths = MAIN
    left_out: tuple[str, ...] = ()
    """Why some records are not on it."""

    @cached_property
    def superseded(self) -> tuple[str, ...]:
        """What came in the place of all of it, and why, in a sentence; empty where some of it stands."""
        told = [superseded(record, self.origins) for record in self.records]
        return tuple(dict.fromkeys(one.told for one in told if one)) if all(told) else ()

    @cached_property
    def ranked(self) -> list[View]:
        """The views in which some row is ranked; the maintainers' where there are any."""
        return [view for view in self.views if view.section.rows and not view.section.reported]

    @cached_property
    def reported(self) -> list[View]:
        """The views that others report beside the maintainers'."""
        return [view for view in self.views if view.section.rows and view.section.reported]

    @cached_property
    def across(self) -> list[Across]:
        """Scores by method and task, for each model that has several tasks."""
        return across([view.section for view in self.ranked], self.overall)

    @cached_property
    def machines(self) -> dict[Machine, str]:
        """Every machine that times are of, with the letter it has in tables."""
        rows = [row for view in self.views for row in view.section.rows]
        found = list(dict.fromkeys(row.machine for row in rows if row.machine))
        return {machine: _letter(number) for number, machine in enumerate(found)}

    @cached_property
    def measured_by(self) -> str:
        """The other suites that measured all of it; empty where it is our own."""
        suites = sorted({view.section.suite for view in self.views if view.section.suite})
        return text.listing([text.name(suite) for suite in suites])

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Parameters of each model without a head, as its records tell."""
        return {
            identity(record).model: record.parameters.base
            for record in reversed(self.records)
            if record.parameters
        }

    @cached_property
    def names(self) -> dict[str, str]:
        """What models are called, with their size: `MiniLM-L6 (22.7 M)`."""
        return {name: called(name, self.catalogue, self.sizes.get(name)) for name in self.models}

    def called(self, model: str) -> str:
        """What a model is called, with its size where a record tells it."""
        return self.names.get(model) or called(model, self.catalogue)

    @cached_property
    def measured(self) -> str:
        """The day of the newest trial."""
        return max((text.clean(record.started_at)[:10] for record in self.records), default="")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what every record says: the same data, the same board."""
        keys = sorted(content_key(record) for record in self.records)
        return hashlib.sha256("\n".join(keys).encode()).hexdigest()

    @cached_property
    def compared(self) -> list[View]:
        """The views that compare anything: those of which a row is ranked; all where none has one."""
        return [view for view in self.views if view.section.rows] or list(self.views)

    @property
    def chosen(self) -> str:
        """How the settings of what is compared were chosen."""
        return how_set([record for _, row in self.compared_rows for record in row.records])

    @cached_property
    def compared_rows(self) -> list[tuple[Section, Row]]:
        """What is compared: of every such view what is ranked, or all where nothing is."""
        sections = [view.section for view in self.compared]
        return [(section, row) for section in sections for row in section.rows or section.apart]

    @cached_property
    def tasks(self) -> list[str]:
        """Their names, sorted."""
        return sorted({view.section.task for view in self.views})

    @cached_property
    def models(self) -> list[str]:
        """Their names, sorted."""
        return sorted({view.section.model for view in self.views})

    @cached_property
    def methods(self) -> list[str]:
        """Their names, sorted."""
        return sorted({row.identity.method for view in self.views for row in view.section.every_row})

    @property
    def scope(self) -> str:
        """`9 methods, 2 tasks, 1 model, 54 trials`, of what is compared; `3 methods in 4 settings, ...`."""
        methods = len({row.identity.method for _, row in self.compared_rows})
        settings = len({row.label for _, row in self.compared_rows})
        counts = {
            "task": len({section.task for section, _ in self.compared_rows}),
            "model": len({section.model for section, _ in self.compared_rows}),
            "trial": sum(len(row.records) for _, row in self.compared_rows),
        }
        more = f" in {settings} settings" if settings > methods else ""
        told = [text.plural(methods, "method") + more, *(text.plural(n, noun) for noun, n in counts.items())]
        return ", ".join(told)

    @property
    def seeds(self) -> int:
        """The fewest seeds of any row."""
        return min(len(row.records) for view in self.views for row in view.section.every_row)


def make_board(
    records: Sequence[Record],
    title: str,
    latencies: Sequence[LatencyRecord] = (),
    catalogue: Catalogue | None = None,
    *,
    servings: Sequence[ServingRecord] = (),
    origins: Origins | None = None,
    paths: Paths = MAIN,
    margin: float = MARGIN,
    beside_ours: bool = False,
) -> Board:
    """Group, rank and test; the order of the records does not matter.

    The records are all our own or all of other suites: they are never ranked together. What repeats another
    record of the same origin is left out, and told. ``beside_ours`` says that another board of the site is of
    the maintainers, so that what others report is called that.
    """
    ordered = sorted(records, key=_order)
    again = dict(repeats(ordered, origins))
    ordered = [record for index, record in enumerate(ordered) if index not in again]
    found = sections(ordered, origins, beside_ours=beside_ours)
    cards = catalogue or Catalogue()
    return Board(
        title=title,
        records=tuple(ordered),
        views=tuple(
            _view(number, section, paths.folder, margin, cards)
            for number, section in enumerate(found, start=1)
        ),
        overall=tuple(standings([one for one in found if one.rows and not one.reported], margin)),
        latencies=tuple(latencies),
        servings=tuple(servings),
        catalogue=cards,
        origins=origins or {},
        paths=paths,
        left_out=tuple(again.values()),
    )


def _order(record: Record) -> tuple[str | int | bool, ...]:
    which = identity(record)
    return (
        *(which.model, which.task, which.method, which.seed, *trial_key(record)),
        *(record.started_at, content_key(record)),
    )


def _letter(number: int) -> str:
    """A, B ... Z, AA ..."""
    before, last = divmod(number, 26)
    return (_letter(before - 1) if before else "") + chr(ord("A") + last)


def _view(number: int, section: Section, folder: str, margin: float, cards: Catalogue) -> View:
    found = standing([section], margin)
    bases = (record.parameters.base for record in section.records if record.parameters)
    name = called(section.model, cards, next(bases, None))
    return View(number, section, found, ranks(section.rows, found), placed(section, margin), folder, name)


def columns(views: Sequence[View]) -> dict[str, bool]:
    """Which columns of the table of all rows say anything."""
    rows = [row for view in views for row in view.rows]
    timed = [row for view in views for row in view.rows if view.section.timed(row)]
    return {
        "risk": any(row.risk.share is not None for row in rows),
        "memory": any(row.peak_training_bytes is not None for row in rows),
        "latency": any(row.slower for row in timed),
        "merged": any(row.slower_merged for row in timed),
        "again": any(not view.section.suite for view in views),
    }


def called(model: str, cards: Catalogue, parameters: int | None = None) -> str:
    """What people call a model, with its size: `MiniLM-L6 (22.7 M)`."""
    card = cards.model(model)
    title = text.clean(card.title) if card and card.title else text.name(model)
    return f"{title} ({text.millions(parameters)})" if parameters else title


def ranks(rows: Sequence[Row], found: Standing | None) -> dict[str, Rank]:
    """Average ranks over seeds where there are any; otherwise the order of the scores, ties sharing one."""
    averages = {place.label: place.rank for place in found.places} if found else {}
    if any(rank.value is not None for rank in averages.values()):
        return {
            label: Rank(rank.value, text.estimate(rank, 1), rank.interval is not None)
            for label, rank in averages.items()
        }
    scores = [row.score.mean for row in rows]
    placed = {}
    for row in rows:
        if row.score.mean is None:
            placed[row.label] = Rank(None, text.MISSING, False)
        else:
            place = scores.index(row.score.mean) + 1
            placed[row.label] = Rank(place, str(place), False)
    return placed
