"""What records of serving many tasks answer in words: what is cheapest to mix, and from where on it pays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reports import text
from reports.records.serving_schema import Rehearsed, ServedBatch, ServingRecord
from reports.stats.latency import interval, trusted
from reports.stats.serving import BreakEven, grid, merging_pays, mixing_pays, task_memory

TOOK: Final = ("add", "add_from_disk", "switch", "evict")
"""Times of single tasks."""


@dataclass(frozen=True)
class Mixed:
    """What a batch of several tasks takes of the base's time, over sizes and numbers of tasks."""

    label: str
    value: float
    """The geometric mean."""
    low: float
    """That of the lower ends: ratios of one process are off together, so nothing is gained by many."""
    high: float
    cells: int

    @property
    def said(self) -> str:
        """`×1.05 (1.04 to 1.06)`."""
        return f"×{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Pays:
    """From where on a way pays at one size of a batch."""

    batch_size: int
    sequence_length: int
    mixing: BreakEven | None
    """Distinct tasks in a batch, beside task after task."""
    mixing_merged: BreakEven | None
    """The same beside task after task, merged."""
    merging: BreakEven | None
    """Batches of one task in a row."""
    most: float
    """Distinct tasks that were looked at."""

    @property
    def mixing_said(self) -> str:
        """With its interval, and in words where it is nowhere."""
        return begins(self.mixing, self.most)

    @property
    def mixing_merged_said(self) -> str:
        """The same beside merged switching."""
        return begins(self.mixing_merged, self.most)

    @property
    def merging_said(self) -> str:
        """The same of merging."""
        return begins(self.merging)


def mixed(records: Mapping[str, ServingRecord]) -> list[Mixed]:
    """Every method over the batches of several tasks that all have and that can be trusted; cheapest first.

    Args:
        records: by label, all of one model on one device.

    Returns:
        Nothing where they have no such batch in common.
    """
    cells = {label: _several(record) for label, record in records.items()}
    cells = {label: own for label, own in cells.items() if own}
    common = set.intersection(*(set(own) for own in cells.values())) if cells else set()
    if not common:
        return []
    found = []
    for label, own in cells.items():
        rows = [own[key].mixed for key in sorted(common)]
        value, low, high = (
            math.exp(math.fsum(map(math.log, ends)) / len(rows))
            for ends in (
                [row.ratio for row in rows],
                [interval(row).low for row in rows],
                [interval(row).high for row in rows],
            )
        )
        found.append(Mixed(label, value, low, high, len(rows)))
    return sorted(found, key=lambda one: (one.value, one.label))


def pays(record: ServingRecord) -> list[Pays]:
    """From where on mixing and merging pay, for each size of a batch that can be trusted."""
    found = []
    for (length, rows), batches in grid(record).items():
        good = [batch for batch in batches if trusted(batch.control)]
        if good:
            found.append(
                Pays(
                    rows,
                    length,
                    mixing_pays(good, "in turn"),
                    mixing_pays(good, "merged in turn"),
                    merging_pays(record, good[0]),
                    max(batch.distinct_tasks for batch in good),
                )
            )
    return found


def begins(one: BreakEven | None, most: float | None = None) -> str:
    """`1.3 (1.2 to 1.5)`; where it is nowhere, up to ``most``, that in words.

    Args:
        one: from where on.
        most: up to where it was looked; None where nothing bounds it.
    """
    if one is None:
        return text.MISSING
    nowhere = "never" if most is None else f"nowhere up to {text.amount(most)}"
    if one.value == math.inf:
        return nowhere if one.low == math.inf else f"{nowhere}; at the earliest from {text.amount(one.low)}"
    if one.low == one.high:
        return text.amount(one.value)
    high = nowhere if one.high == math.inf else text.amount(one.high)
    return f"{text.amount(one.value)} ({text.amount(one.low)} to {high})"


def over_sizes(found: Sequence[tuple[BreakEven | None, float | None]]) -> str:
    """Over several sizes: `1.3 to 2.1`, and in how many of them it is nowhere."""
    known = [(one, most) for one, most in found if one is not None]
    if len(known) <= 1:
        return begins(*known[0]) if known else text.MISSING
    finite = [one.value for one, _ in known if one.value < math.inf]
    if not finite:
        limits = [most for _, most in known if most is not None]
        return f"nowhere up to {text.amount(max(limits))}" if limits else "never"
    ends = text.span(finite, text.amount)
    lost = len(known) - len(finite)
    return f"{ends}; nowhere in {lost} of {len(known)} sizes" if lost else ends


def sentences(records: Mapping[str, ServingRecord]) -> list[str]:
    """The answer for one model on one device: what is cheapest to mix, what a task takes, where it pays.

    Args:
        records: by label, as :func:`mixed` takes them.
    """
    ranked = mixed(records)
    said = [_cheapest(ranked)] if ranked else []
    if not ranked and any(batch.distinct_tasks > 1 for one in records.values() for batch in one.batches):
        said.append(
            "Nothing is said of which method is cheapest to mix: no batch of several tasks that all have can "
            "be trusted."
        )
    label = ranked[0].label if ranked else next(iter(records))
    return [*said, _task(label, records[label]), *_from_where(label, pays(records[label]))]


def held(rehearsed: Sequence[Rehearsed]) -> str:
    """How far what was measured lies from what was simulated."""
    ratios = [
        one.measured.ms_p99 / one.simulated.ms_p99
        for one in rehearsed
        if one.simulated.ms_p99 > 0 and one.measured.ms_p99 > 0
    ]
    if not ratios:
        return ""
    found = text.span(ratios, text.times)
    told = f"Served in truth, the 99th percentile came out as {found} of the simulated one"
    speeds = [one.service_ratio for one in rehearsed if one.service_ratio]
    fast = [
        one.measured.ms_p99 / one.simulated_as_fast.ms_p99
        for one in rehearsed
        if one.simulated_as_fast and one.simulated_as_fast.ms_p99 > 0 and one.measured.ms_p99 > 0
    ]
    if speeds and fast:
        told += (
            f", while a batch took {text.span(speeds, text.times)} of the time that was assumed; "
            f"simulated with the times of the rehearsal itself, it came out as {text.span(fast, text.times)}"
        )
    return f"{told}."


def _several(record: ServingRecord) -> dict[tuple[int, int, int], ServedBatch]:
    """The batches of several tasks that can be trusted, by their size and tasks."""
    return {
        (batch.sequence_length, batch.batch_size, batch.tasks): batch
        for batch in record.batches
        if batch.distinct_tasks > 1 and trusted(batch.control)
    }


def _cheapest(ranked: Sequence[Mixed]) -> str:
    first, *others = ranked
    name, count = text.name(first.label), text.plural(first.cells, "comparison")
    told = f"a batch of several tasks takes {first.said} of the base’s time, the mean of {count}"
    if not others:
        return f"With {name} {told}."
    beside = [text.name(one.label) for one in others if one.low <= first.high]
    same = f", not told apart from {text.listing(beside)}" if beside else ""
    dearest = others[-1]
    most = f"; most with {text.name(dearest.label)}, {dearest.said}" if dearest.low > first.high else ""
    return f"Cheapest to mix is {name}{same}: {told}{most}."


def _task(label: str, record: ServingRecord) -> str:
    most = record.stored[-1]
    took = {name: text.milliseconds(getattr(most, name).ms_p50) for name in TOOK}
    return (
        f"One more task of {text.name(label)} takes {text.size(round(task_memory(record)))} of memory and "
        f"{text.size(record.task_disk_bytes)} on disk. With {text.plural(most.tasks, 'task')} in memory one "
        f"is added in {took['add']} ({took['add_from_disk']} from disk), switched to in {took['switch']} and "
        f"taken out in {took['evict']}."
    )


def _from_where(label: str, found: Sequence[Pays]) -> list[str]:
    """Where mixing and merging pay, in words; nothing where no size can be trusted."""
    mixing = [(one.mixing, one.most) for one in found if one.mixing]
    beside = [(one.mixing_merged, one.most) for one in found if one.mixing_merged]
    merging = [(one.merging, None) for one in found if one.merging]
    said = []
    if mixing:
        told = f"A mixed batch of {text.name(label)} is faster than task after task from this many distinct "
        told += f"tasks on: {over_sizes(mixing)}"
        told += f"; than merged switching: {over_sizes(beside)}" if beside else ""
        said.append(f"{told}.")
    if merging:
        told = f"Merging a task first pays from this many batches of it in a row on: {over_sizes(merging)}."
        said.append(told)
    return said
