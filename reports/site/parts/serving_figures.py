"""Figures of serving many tasks: the time of a batch, and of requests that arrive, against tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from reports import text
from reports.records.cost_parts import LatencyRow
from reports.records.serving_schema import Arrivals, ServedBatch, ServingRecord
from reports.site.parts.figures import COLOURS, Axis, Figure, Point, Rule, Series
from reports.stats.latency import interval, trusted

Rows = Callable[[ServedBatch], LatencyRow | None]
WAYS: Final[Mapping[str, tuple[Rows, str]]] = {
    "mixed": (lambda batch: batch.mixed, ""),
    "in turn": (lambda batch: batch.in_turn, "2 3"),
    "merged in turn": (lambda batch: batch.merged_in_turn, "7 4"),
}
"""What is drawn of a batch of several tasks, with the dash of its line."""
MOST_LINES: Final = 12
MOST_PANELS: Final = 6
MOST_RATES: Final = 4


def time_of_batches(
    records: Mapping[str, ServingRecord], colours: Mapping[str, int]
) -> list[tuple[str, Figure]]:
    """Time over the base's against the number of tasks, a panel for each size, a line per method and way.

    One figure, with the ways that it shows; one for each way where it would have more than ``MOST_LINES``.
    Cells whose base against itself does not hold 1 are grey, and no line leads to them.

    Args:
        records: by label, all of one model on one device.
        colours: by label.
    """
    there = {way for way in WAYS for record in records.values() for _ in _rows(record, way)}
    drawn = [way for way in WAYS if way in there]
    lines = sum(any(True for _ in _rows(record, way)) for record in records.values() for way in drawn)
    parts = [drawn] if lines <= MOST_LINES else [[way] for way in drawn]
    sizes = panels([batch for record in records.values() for batch in record.batches])
    tasks = sorted({batch.tasks for record in records.values() for batch in record.batches})
    return [
        (
            text.listing(part),
            Figure(
                height=320,
                x=Axis("tasks that rows draw from", names=tuple(map(str, tasks))),
                y=Axis("time / base", log=True),
                series=tuple(_lines(records, part, sizes, colours)),
                rules=(Rule("y", 1.0, dash=""),),
                panels=tuple(map(_panel, sizes)),
            ),
        )
        for part in parts
    ]


def panels(batches: Sequence[ServedBatch]) -> list[tuple[int, int]]:
    """Lengths and rows that have a panel: of too many the shortest and the longest, and few of the rows."""
    sizes = sorted({(batch.sequence_length, batch.batch_size) for batch in batches})
    if len(sizes) <= MOST_PANELS:
        return sizes
    lengths = _ends(sorted({length for length, _ in sizes}), 2)
    each = MOST_PANELS // len(lengths)
    return [
        (length, rows)
        for length in lengths
        for rows in _ends(sorted(rows for other, rows in sizes if other == length), each)
    ]


def largest_rates(records: Mapping[str, ServingRecord], colours: Mapping[str, int]) -> Figure | None:
    """The largest rate of arrivals that keeps the limit against the number of tasks; None without any."""
    return _arriving(
        records,
        colours,
        Axis("requests a second", log=True),
        lambda one: (one.largest_rate_per_second, ""),
    )


def waiting(records: Mapping[str, ServingRecord], colours: Mapping[str, int]) -> Figure | None:
    """The 99th percentile of waiting against the number of tasks, a panel for each of the commonest rates."""
    counts = Counter(one.rate_per_second for record in records.values() for one in _simulated(record))
    rates = sorted(rate for rate, _ in counts.most_common(MOST_RATES))
    return _arriving(
        records,
        colours,
        Axis("p99, ms", log=True),
        lambda one: (one.waited.ms_p99 if one.waited else 0.0, _rate(one)),
        tuple(dict.fromkeys(f"{rate:g} a second" for rate in rates)),
    )


def _arriving(
    records: Mapping[str, ServingRecord],
    colours: Mapping[str, int],
    y: Axis,
    read: Callable[[Arrivals], tuple[float, str]],
    shown: tuple[str, ...] = (),
) -> Figure | None:
    """A line per method and way over numbers of tasks; what has no place on a logarithm is left out."""
    series, tasks = [], set()
    for label, record in records.items():
        for way, (_, dash) in WAYS.items():
            own = sorted((one for one in _simulated(record) if one.way == way), key=lambda one: one.tasks)
            points = {
                (one.tasks, panel): Point(str(one.tasks), value, panel=panel)
                for one in own
                for value, panel in [read(one)]
                if value > 0 and (not shown or panel in shown)
            }
            tasks |= {at for at, _ in points}
            if points:
                name = f"{text.clean(label, 60)}, {way}"
                series.append(Series(name, tuple(points.values()), "line", colours[label] % COLOURS, dash))
    if not series:
        return None
    x = Axis("tasks that requests are drawn from", names=tuple(map(str, sorted(tasks))))
    return Figure(320, x, y, tuple(series), panels=shown)


def _rows(record: ServingRecord, way: str) -> Iterator[tuple[ServedBatch, LatencyRow]]:
    read, _ = WAYS[way]
    for batch in sorted(record.batches, key=lambda one: one.tasks):
        row = read(batch)
        if row is not None:
            yield batch, row


def _lines(
    records: Mapping[str, ServingRecord],
    drawn: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    colours: Mapping[str, int],
) -> Iterator[Series]:
    for label, record in records.items():
        for way in drawn:
            points = tuple(
                Point(
                    str(batch.tasks),
                    row.ratio,
                    *interval(row),
                    panel=_panel((batch.sequence_length, batch.batch_size)),
                    grey=not trusted(batch.control),
                )
                for batch, row in _rows(record, way)
                if (batch.sequence_length, batch.batch_size) in sizes
            )
            if points:
                name = f"{text.clean(label, 60)}, {way}"
                yield Series(name, points, "line", colours[label] % COLOURS, WAYS[way][1])


def _simulated(record: ServingRecord) -> tuple[Arrivals, ...]:
    return record.arrivals.simulated if record.arrivals else ()


def _panel(size: tuple[int, int]) -> str:
    length, rows = size
    return f"{rows} × {length} tokens"


def _rate(one: Arrivals) -> str:
    return f"{one.rate_per_second:g} a second"


def _ends(values: Sequence[int], count: int) -> list[int]:
    """So many of them at the most, the first and the last among them, evenly spread."""
    if len(values) <= count:
        return list(values)
    return [values[round(at * (len(values) - 1) / (count - 1))] for at in range(count)]
