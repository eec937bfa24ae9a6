"""The latency page: every comparison as a table, and overhead against batch size and input length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from reports import text
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.records.origins import UNKNOWN, Origin, Origins, origin_of, trusted
from reports.records.published import PublishedLatency, latencies, latency_of
from reports.site.parts.board import Board, called
from reports.site.parts.catalogue import Catalogue
from reports.site.parts.figures import COLOURS, Axis, Figure, Point, Rule, Series, figure_json
from reports.site.parts.html import FIGURES, Page
from reports.stats.estimate import Interval
from reports.stats.latency import Decision, decision, interval, verdicts
from reports.stats.latency import trusted as holds_one

MERGED = ", merged"
"""Ends the label of a contender that is folded into the weights."""
TITLE = "What does a method cost at inference?"


def latency_page(board: Board) -> Page | None:
    """Every latency comparison, with its figure; None where there is none."""
    if not board.latencies:
        return None
    found = groups(board.latencies, board.origins, board.catalogue)
    cells = [table for group in found for table in group.tables]
    trusted_cells = sum(table.holds_one for table in cells)
    about = "Inference time over the untouched base, by batch size and input length, with intervals."
    return Page(
        "latency.html",
        TITLE,
        "latency.html.j2",
        {"groups": found, "summary": summary(found), "cells": cells, "trusted": trusted_cells},
        (("latency.csv", "CSV"),),
        FIGURES,
        about,
    )


PHASES = {"forward": "One pass", "prefill": "Pass up to the first new token", "decode": "One further token"}


@dataclass(frozen=True)
class Line:
    """One contender in a table."""

    entry: LatencyEntry
    interval: Interval | None
    """None of the base, which the others are divided by."""
    decision: Decision | None
    published: PublishedLatency | None


@dataclass(frozen=True)
class Table:
    """One comparison."""

    record: LatencyRecord
    lines: list[Line]
    verdicts: list[str]

    @property
    def holds_one(self) -> bool:
        """Whether the base against itself holds 1, without which none of its figures can be trusted."""
        return holds_one(self.record.control)

    @property
    def has_published(self) -> bool:
        """Whether a paper prints a figure for one of its rows."""
        return any(line.published for line in self.lines)


@dataclass(frozen=True)
class Group:
    """The comparisons of one model in one phase, on one device by whoever measured them."""

    anchor: str
    title: str
    facts: list[tuple[str, str]]
    tables: list[Table]
    figure: tuple[str, Markup] | None
    """Its id and its JSON."""
    not_measured: list[PublishedLatency]
    """What papers print for this model on inputs that were not measured here."""


def groups(
    records: Sequence[LatencyRecord], origins: Origins | None = None, cards: Catalogue | None = None
) -> list[Group]:
    """One group per model, phase, device and whoever measured: what may stand in one figure."""

    def together(record: LatencyRecord) -> tuple[str, ...]:
        where = record.environment
        several = "" if where.processes == 1 else f", {where.processes} processes"
        device = (
            where.device,
            where.device_name + several,
            text.plural(where.threads, "thread"),
            record.dtype,
        )
        return record.model, record.phase, *device, origin_of(record, origins).told

    def reported(record: LatencyRecord) -> bool:
        return not trusted(origin_of(record, origins))

    found = []
    ordered = sorted(records, key=lambda r: (reported(r), together(r), r.sequence_length, r.batch_size))
    # The device and the origin stand in the heading where a model and phase has several; what others report
    # changes no heading of the maintainers' own.
    ours = [record for record in records if not reported(record)]
    several = Counter(key[:2] for key in {together(record) for record in ours or records})
    for number, (key, members) in enumerate(groupby(ordered, key=together), start=1):
        cells = list(members)
        first = cells[0]
        model = called(first.model, cards or Catalogue(), first.base_parameters)
        name = f"{PHASES[first.phase]} of {model}"
        tables = [_table(record) for record in cells]
        here = {(record.batch_size, record.sequence_length) for record in cells}
        missing = [
            row
            for row in latencies()
            if row.model == first.model and (row.batch_size, row.sequence_length) not in here
        ]
        figure = overhead(cells)
        found.append(
            Group(
                anchor=f"latency-{number}",
                title=", ".join([name, *map(text.clean, key[2:])])
                if several[key[:2]] > 1 or (ours and reported(first))
                else name,
                facts=_facts(cells, origin_of(first, origins)),
                tables=tables,
                figure=(f"latency-{number}-overhead", Markup(figure_json(figure))) if figure else None,
                not_measured=missing if first.phase != "decode" else [],
            )
        )
    return found


@dataclass(frozen=True)
class Summed:
    """One method over every cell that can be trusted."""

    label: str
    group: Group
    ratios: tuple[float, ...]
    slower: int
    as_fast: int
    """As fast as the base within the margin, or faster."""

    @property
    def said(self) -> str:
        """`×1.03 to ×1.13`, or the only one."""
        return text.span(self.ratios, text.times)


def summary(found: Sequence[Group]) -> list[Summed]:
    """A line per method of each group, over the cells that can be trusted; the fastest first."""
    lines = []
    for group in found:
        by_label: dict[str, list[Line]] = {}
        for table in group.tables:
            for line in table.lines[2:] if table.holds_one else ():
                by_label.setdefault(line.entry.label, []).append(line)
        summed = [
            Summed(
                label,
                group,
                tuple(line.entry.ratio for line in own),
                sum(line.decision == "slower" for line in own),
                sum(line.decision in ("as fast", "faster") for line in own),
            )
            for label, own in by_label.items()
        ]
        lines += sorted(summed, key=lambda one: max(one.ratios))
    return lines


def _table(record: LatencyRecord) -> Table:
    lines = [
        Line(
            entry,
            interval=interval(entry) if number else None,
            decision=decision(record, entry) if entry.method else None,
            published=latency_of(record, entry),
        )
        for number, entry in enumerate(record.entries)
    ]
    return Table(record, lines, verdicts(record))


def _facts(cells: Sequence[LatencyRecord], origin: Origin) -> list[tuple[str, str]]:
    first = cells[0]
    where = first.environment
    packages = ", ".join(f"{text.clean(k)} {text.clean(v)}" for k, v in sorted(where.packages.items()))
    return [
        (
            "Model",
            f"{text.clean(first.model)}, {first.base_parameters:,} parameters, {text.clean(first.dtype)}",
        ),
        ("Weights", text.clean(first.weights)),
        ("Device", f"{text.clean(where.device_name)}, {text.plural(where.threads, 'thread')}"),
        ("Packages", packages),
        (
            "Code",
            f"paretune {text.setting(where.paretune_version)}, commit {text.clean(where.commit or '–')}",
        ),
        ("Measured", text.clean(first.started_at)),
        *([("Who measured it", text.clean(origin.told))] if origin != UNKNOWN else []),
    ]


def overhead(cells: Sequence[LatencyRecord]) -> Figure | None:
    """Overhead over the base in per cent against batch size, one panel per length, with intervals.

    Cells whose base against itself does not hold 1 are grey, and no line leads to them. None where there is
    one comparison only.
    """
    if len(cells) < 2:
        return None
    labels = list(dict.fromkeys(entry.label for record in cells for entry in record.entries[2:]))
    methods = list(dict.fromkeys(label.removesuffix(MERGED) for label in labels))
    ordered = sorted(cells, key=lambda record: (record.sequence_length, record.batch_size))
    lengths = list(dict.fromkeys(record.sequence_length for record in ordered))
    return Figure(
        height=300,
        x=Axis("batch size", names=tuple(map(str, sorted({record.batch_size for record in cells})))),
        y=Axis("overhead over the base, %"),
        series=tuple(
            Series(
                text.clean(label, 60),
                tuple(_overhead_points(ordered, label)),
                "line",
                methods.index(label.removesuffix(MERGED)) % COLOURS,
                "2 3" if label.endswith(MERGED) else "",
            )
            for label in labels
        ),
        rules=(Rule("y", 0.0, dash=""),),
        panels=tuple(_panel(length) for length in lengths),
    )


def _overhead_points(cells: Sequence[LatencyRecord], label: str) -> Iterator[Point]:
    for record in cells:
        for entry in record.entries:
            if entry.label == label:
                ends = interval(entry)
                yield Point(
                    str(record.batch_size),
                    _percent(entry.ratio),
                    _percent(ends.low),
                    _percent(ends.high),
                    panel=_panel(record.sequence_length),
                    grey=not holds_one(record.control),
                )


def _panel(length: int) -> str:
    return f"{length} tokens"


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)
