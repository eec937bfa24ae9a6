"""The page on serving many tasks from one base: which method is cheapest to mix, and what a task takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from reports import text
from reports.records.cost_parts import LatencyRow
from reports.records.origins import UNKNOWN, Origin, Origins, origin_of, trusted
from reports.records.serving_schema import ArrivalStudy, Paired, ServedBatch, ServingRecord
from reports.site.latency import PHASES
from reports.site.parts.board import Board, called
from reports.site.parts.catalogue import Catalogue
from reports.site.parts.figures import Figure, figure_json
from reports.site.parts.html import FIGURES, Page
from reports.site.parts.serving_figures import largest_rates, panels, time_of_batches, waiting
from reports.stats.latency import interval
from reports.stats.latency import trusted as holds_one
from reports.stats.serving import rows_per_second, task_memory, ways
from reports.stats.serving_said import Mixed, Pays, held, mixed, over_sizes, pays, sentences

TITLE = "What does it cost to serve many tasks from one base?"
MIXES = {
    "uniform": "rows draw their tasks evenly",
    "zipf": "rows draw their tasks by Zipf’s law",
    "one": "all rows draw one task",
}
WAYS = ("one task", "mixed", "in turn", "merged", "merged in turn")
MERGED = ("merged", "merged in turn")


def serving_page(board: Board) -> Page | None:
    """Every record of serving many tasks, with its figures; None where there is none."""
    if not board.servings:
        return None
    found = groups(board.servings, board.origins, board.catalogue)
    cells = [cell for group in found for method in group.methods for cell in method.cells]
    arriving = any(record.arrivals for record in board.servings)
    return Page(
        "serving.html",
        TITLE,
        "serving.html.j2",
        {"groups": found, "cells": len(cells), "trusted": sum(cell.holds_one for cell in cells)},
        (("serving.csv", "CSV"), *((("arrivals.csv", "CSV of arrivals"),) if arriving else ())),
        FIGURES,
        "Memory of a task, time of mixed batches over the untouched base, and where mixing and merging pay.",
    )


@dataclass(frozen=True)
class Timed:
    """A ratio as a cell of a table shows it."""

    ratio: float
    low: float
    high: float
    rows_per_second: float | None = None


@dataclass(frozen=True)
class Cell:
    """Batches of one size from one number of tasks."""

    batch: ServedBatch
    columns: tuple[Timed | None, ...]
    """The control, then ``WAYS`` as far as the table has them, then mixed over task after task."""

    @property
    def holds_one(self) -> bool:
        """Whether the base against itself holds 1, without which none of its figures can be trusted."""
        return holds_one(self.batch.control)


@dataclass(frozen=True)
class Method:
    """One record: a method with what is said of it."""

    label: str
    record: ServingRecord
    cells: tuple[Cell, ...]
    mixed: Mixed | None
    """None where no batch of several tasks can be compared with the others’."""
    pays: tuple[Pays, ...]

    @property
    def merges(self) -> bool:
        """Whether the method was measured merged as well."""
        return self.record.merged_switch is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the table of its cells, the number of tasks and the base apart."""
        shown = WAYS if self.merges else tuple(way for way in WAYS if way not in MERGED)
        pairs = ("mixed / in turn", "mixed / merged in turn")
        return ("base again", *shown, *pairs[: 1 + self.merges])

    @property
    def task_memory(self) -> int:
        """Bytes of one more task."""
        return round(task_memory(self.record))

    @property
    def mixing(self) -> str:
        """From how many distinct tasks in a batch on, over the sizes of batches."""
        return over_sizes([(one.mixing, one.most) for one in self.pays])

    @property
    def mixing_merged(self) -> str:
        """The same beside merged switching."""
        return over_sizes([(one.mixing_merged, one.most) for one in self.pays])

    @property
    def merging(self) -> str:
        """From how many batches of one task in a row on."""
        return over_sizes([(one.merging, None) for one in self.pays])

    @property
    def energy(self) -> tuple[str, ...]:
        """Joules of 1,000 requests, a way each."""
        found = self.record.energy
        if found is None:
            return ("not measured",)
        joules = found.joules_per_1000_requests
        return (*(f"{text.amount(value)} J {way}" for way, value in joules.items()), f"({found.source})")

    @property
    def difference(self) -> float:
        """Between a logit of a mixed batch and of task after task, at most."""
        return max(cell.batch.mixed_difference for cell in self.cells)

    @property
    def wide(self) -> int:
        """Comparisons whose intervals are not as narrow as was asked."""
        return sum(cell.batch.widest > self.record.width_asked for cell in self.cells)


@dataclass(frozen=True)
class ArrivalView:
    """Requests that arrive under one set of conditions."""

    anchor: str
    study: ArrivalStudy
    methods: tuple[Method, ...]
    figures: list[tuple[str, tuple[str, Markup]]]
    """Caption, id and JSON."""
    held: str
    """What the simulation comes to where it was rehearsed; empty where it was not."""


@dataclass(frozen=True)
class Group:
    """The records of one model on one device by whoever measured them."""

    anchor: str
    title: str
    facts: list[tuple[str, str]]
    sentences: list[str]
    methods: tuple[Method, ...]
    """The cheapest to mix first."""
    figures: list[tuple[str, tuple[str, Markup]]]
    """The ways that it shows, id and JSON."""
    panels: tuple[int, int]
    """How many sizes of batches are drawn, and how many there are."""
    arrivals: list[ArrivalView]

    @property
    def counts_energy(self) -> bool:
        """Whether any of it was measured with a counter of energy."""
        return any(method.record.energy for method in self.methods)


def groups(
    records: Sequence[ServingRecord], origins: Origins | None = None, cards: Catalogue | None = None
) -> list[Group]:
    """One group per model, phase, mix, device and whoever measured: what may stand in one figure."""

    def together(record: ServingRecord) -> tuple[str, ...]:
        where = record.environment
        several = "" if where.processes == 1 else f", {where.processes} processes"
        device = (where.device, where.device_name + several, text.plural(where.threads, "thread"))
        return record.model, record.phase, record.mix, *device, record.dtype, origin_of(record, origins).told

    def reported(record: ServingRecord) -> bool:
        return not trusted(origin_of(record, origins))

    ordered = sorted(records, key=lambda r: (reported(r), together(r), r.label, r.started_at))
    ours = [record for record in records if not reported(record)]
    several = Counter(key[:3] for key in {together(record) for record in ours or records})
    found = []
    for number, (key, members) in enumerate(groupby(ordered, key=together), start=1):
        own = list(members)
        first = own[0]
        model = called(first.model, cards or Catalogue(), first.base_parameters)
        name = f"{PHASES[first.phase]} of {model}, {MIXES[first.mix]}"
        apart = several[key[:3]] > 1 or (bool(ours) and reported(first))
        title = ", ".join([name, *map(text.clean, key[3:])]) if apart else name
        found.append(_group(f"serving-{number}", title, own, origin_of(first, origins)))
    return found


def _group(anchor: str, title: str, records: Sequence[ServingRecord], origin: Origin) -> Group:
    found = _named(records)
    ranked = {one.label: one for one in mixed(found)}
    order = [*ranked, *(label for label in found if label not in ranked)]
    named = {label: found[label] for label in order}
    methods = tuple(_method(label, named[label], ranked.get(label)) for label in order)
    colours = {label: number for number, label in enumerate(order)}
    drawn = time_of_batches(named, colours)
    sizes = {(b.sequence_length, b.batch_size) for record in records for b in record.batches}
    shown = len(panels([batch for record in records for batch in record.batches]))
    return Group(
        anchor=anchor,
        title=title,
        facts=_facts(records, origin),
        sentences=sentences(named),
        methods=methods,
        figures=_figures(f"{anchor}-time", drawn),
        panels=(shown, len(sizes)),
        arrivals=_arrivals(anchor, methods, colours),
    )


def _named(records: Sequence[ServingRecord]) -> dict[str, ServingRecord]:
    """Records by label; one that repeats is numbered."""
    found: dict[str, ServingRecord] = {}
    for record in records:
        label, number = record.label, 1
        while label in found:
            number += 1
            label = f"{record.label} ({number})"
        found[label] = record
    return found


def _method(label: str, record: ServingRecord, ranked: Mixed | None) -> Method:
    ordered = sorted(record.batches, key=lambda one: (one.sequence_length, one.batch_size, one.tasks))
    cells = tuple(_cell(batch) for batch in ordered)
    return Method(label, record, cells, ranked, tuple(pays(record)))


def _cell(batch: ServedBatch) -> Cell:
    pairs = [batch.mixed_to_in_turn, batch.mixed_to_merged_in_turn]
    columns = [
        _timed(batch.control, batch),
        *(_timed(row, batch) for row in ways(batch).values()),
        *(_timed(pair) for pair in pairs if pair),
    ]
    return Cell(batch, tuple(columns))


def _timed(row: LatencyRow | Paired, batch: ServedBatch | None = None) -> Timed:
    ends = interval(row)
    rate = rows_per_second(batch, row.latency_ms_p50) if batch and isinstance(row, LatencyRow) else None
    return Timed(row.ratio, ends.low, ends.high, rate)


def _arrivals(anchor: str, methods: Sequence[Method], colours: Mapping[str, int]) -> list[ArrivalView]:
    """The methods whose requests arrived under the same conditions, together."""
    conditions: dict[str, list[Method]] = {}
    for method in methods:
        if method.record.arrivals:
            own = method.record.arrivals
            # How much memory was free is told with each method: nothing is simulated otherwise by it.
            told = own.model_dump_json(exclude={"simulated", "rehearsed", "memory_limit_bytes"})
            rates = sorted({one.rate_per_second for one in own.simulated})
            conditions.setdefault(f"{told} {rates}", []).append(method)
    found = []
    for number, together in enumerate(conditions.values(), start=1):
        named = {method.label: method.record for method in together}
        name = f"{anchor}-arrivals-{number}"
        drawn = (
            (
                "largest rate of arrivals that keeps the limit against tasks",
                largest_rates(named, colours),
            ),
            ("99th percentile of the time to the answer against tasks", waiting(named, colours)),
        )
        studies = [method.record.arrivals for method in together if method.record.arrivals]
        rehearsed = [one for study in studies for one in study.rehearsed]
        figures = _figures(name, [(caption, figure) for caption, figure in drawn if figure])
        found.append(ArrivalView(name, studies[0], tuple(together), figures, held(rehearsed)))
    return found


def _figures(name: str, drawn: Iterable[tuple[str, Figure]]) -> list[tuple[str, tuple[str, Markup]]]:
    return [
        (caption, (f"{name}-{number}", Markup(figure_json(figure))))
        for number, (caption, figure) in enumerate(drawn, start=1)
    ]


def _facts(records: Sequence[ServingRecord], origin: Origin) -> list[tuple[str, str]]:
    first = records[0]
    where = [record.environment for record in records]
    packages: Mapping[str, None] = dict.fromkeys(
        ", ".join(f"{k} {v}" for k, v in sorted(one.packages.items())) for one in where
    )
    codes = (
        f"paretune {one.paretune_version}, commit {one.commit or text.MISSING}"
        f"{'' if one.tree_clean is not False else ', tree not clean'}"
        for one in where
    )
    base = text.size(first.base_memory_bytes)
    device = f"{first.environment.device_name}, {text.plural(first.environment.threads, 'thread')}"
    days = sorted(record.started_at for record in records)
    facts = [
        ("Model", f"{first.model}, {first.base_parameters:,} parameters, {first.dtype}, {base} in memory"),
        ("Weights", _joined(record.weights for record in records)),
        ("Device", device),
        ("Packages", _joined(packages)),
        ("Code", _joined(codes)),
        ("Measured", _joined((days[0], days[-1]))),
        *([("Who measured it", origin.told)] if origin != UNKNOWN else []),
    ]
    return [(name, text.clean(value, 2000)) for name, value in facts]


def _joined(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text.clean(value) for value in values))
