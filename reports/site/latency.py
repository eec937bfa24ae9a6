"""The latency page: every comparison as a table, and overhead against batch size and input length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.subplots import make_subplots

from reports import text
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.records.origins import UNKNOWN, Origin, Origins, origin_of, trusted
from reports.records.published import PublishedLatency, latencies, latency_of
from reports.site.parts.board import Board
from reports.site.parts.figures import COLOURS, GRID, LOOK, NEUTRAL, figure_json, plain
from reports.site.parts.html import Page
from reports.stats.estimate import Interval
from reports.stats.latency import Decision, decision, interval, verdicts

PANELS = 6
"""In a row of the figure."""
TITLE = "What does a method cost at inference?"


def latency_page(board: Board) -> Page | None:
    """Every latency comparison, with its figure; None where there is none."""
    if not board.latencies:
        return None
    about = "Inference time over the untouched base, by batch size and input length, with intervals."
    return Page(
        "latency.html",
        TITLE,
        "latency.html.j2",
        {"groups": groups(board.latencies, board.origins)},
        (("latency.csv", "CSV"),),
        ("plotly.min.js", "figures.js"),
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


def groups(records: Sequence[LatencyRecord], origins: Origins | None = None) -> list[Group]:
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
        name = f"{PHASES[first.phase]} of {text.clean(first.model)}"
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


def overhead(cells: Sequence[LatencyRecord]) -> go.Figure | None:
    """Overhead over the base in per cent against batch size, one panel per length, with intervals.

    None where there is one comparison only.
    """
    lengths = sorted({record.sequence_length for record in cells})
    if len(cells) < 2:
        return None
    labels = list(dict.fromkeys(entry.label for record in cells for entry in record.entries[2:]))
    columns = min(len(lengths), PANELS)
    rows_of_panels = -(-len(lengths) // columns)
    figure = make_subplots(
        rows=rows_of_panels,
        cols=columns,
        shared_yaxes=True,
        subplot_titles=[f"{length} tokens" for length in lengths],
        horizontal_spacing=0.04,
        vertical_spacing=0.3 / rows_of_panels,
    )
    for place, length in enumerate(lengths):
        row, column = place // columns + 1, place % columns + 1
        inside = sorted((r for r in cells if r.sequence_length == length), key=lambda r: r.batch_size)
        batches = [str(record.batch_size) for record in inside]
        for number, label in enumerate(labels):
            entries = [next((e for e in r.entries if e.label == label), None) for r in inside]
            colour = COLOURS[number % len(COLOURS)]
            figure.add_trace(
                go.Scatter(
                    x=batches,
                    y=[_percent(entry.ratio) if entry else None for entry in entries],
                    error_y={
                        "type": "data",
                        "symmetric": False,
                        "array": [100 * (interval(e).high - e.ratio) if e else 0 for e in entries],
                        "arrayminus": [100 * (e.ratio - interval(e).low) if e else 0 for e in entries],
                        "thickness": 1.2,
                    },
                    mode="lines+markers",
                    name=plain(label, 60),
                    legendgroup=label,
                    showlegend=place == 0,
                    line={"color": colour, "dash": "dot" if label.endswith(", merged") else "solid"},
                    marker={"color": colour, "size": 8},
                ),
                row=row,
                col=column,
            )
        figure.update_xaxes(title_text="batch size", type="category", row=row, col=column)
    axis = {"gridcolor": GRID, "zeroline": True, "zerolinecolor": NEUTRAL}
    figure.update_yaxes(**axis)
    figure.update_yaxes(title_text="overhead over the base, %", col=1)
    figure.update_layout(
        template="none",
        **LOOK,
        margin={"l": 64, "r": 24, "t": 40, "b": 110},
        height=460 + 260 * (rows_of_panels - 1),
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
    )
    return figure


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)
