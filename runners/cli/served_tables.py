"""What a record of serving many tasks says, as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from runners.cli.options import out, table

if TYPE_CHECKING:
    from reports.records.serving_schema import ArrivalStudy, ServingRecord, Took


def show(record: ServingRecord) -> None:
    """Print one record."""
    from reports import text

    where = text.plural(record.environment.threads, "thread")
    head = f" on {record.model}, {record.dtype}, rows drawn {record.mix} ({where})"
    out.print(Text.assemble("\n", (record.label, "bold"), head), highlight=False)
    _show_stored(record)
    _show_batches(record)
    for sentence in sentences(record):
        out.print(sentence, style="dim", highlight=False, soft_wrap=True)
    if record.arrivals is not None:
        _show_arrivals(record.arrivals)


def _show_stored(record: ServingRecord) -> None:
    from reports import text

    columns = ("tasks", "in\nmemory", "on\ndisk", "add\nms", "add,\nread ms", "switch\nms", "evict\nms")
    made = table(numbers=columns)
    for one in record.stored:
        made.add_row(
            f"{one.tasks:,}",
            text.size(one.memory_bytes),
            text.size(one.tasks * record.task_disk_bytes),
            *(_took(part) for part in (one.add, one.add_from_disk, one.switch, one.evict)),
        )
    out.print(made)
    if record.merged_switch is not None and record.merged_switch_from_disk is not None:
        out.print(
            f"Merged, a switch takes {_took(record.merged_switch)} ms, with reading "
            f"{_took(record.merged_switch_from_disk)} ms, and {text.size(record.merged_kept_bytes)} of the "
            "base are kept beside.",
            highlight=False,
            soft_wrap=True,
        )


def _show_batches(record: ServingRecord) -> None:
    from reports import text
    from reports.stats.latency import trusted

    merges = any(one.merged for one in record.batches)
    columns = ("batch", "tasks", "in it", "base\nms", "one\ntask", "mixed", "in\nturn")
    merged = ("merged", "merged\nin turn") if merges else ()
    made = table(numbers=(*columns, *merged, "rows/s\nmixed", "A/A"))
    for one in record.batches:
        ways = (one.one_task, one.mixed, one.in_turn, *((one.merged, one.merged_in_turn) if merges else ()))
        made.add_row(
            f"{one.batch_size} x {one.sequence_length}",
            f"{one.tasks:,}",
            f"{one.distinct_tasks:.1f}",
            text.amount(one.base_ms_p50),
            *(f"x{way.ratio:.2f}" if way else "" for way in ways),
            text.amount(1000 * one.batch_size / one.mixed.latency_ms_p50),
            f"x{one.control.ratio:.2f}{'' if trusted(one.control) else ' !'}",
        )
    out.print(made)


def _show_arrivals(found: ArrivalStudy) -> None:
    from reports import text

    out.print(
        f"Simulated: requests of {found.sequence_length} tokens arrive at random, their tasks by Zipf's law "
        f"(s = {found.zipf_exponent:g}), up to {found.largest_batch} served at once; largest rate: 99 of 100 "
        f"within {found.limit_ms:g} ms.",
        highlight=False,
        soft_wrap=True,
    )
    columns = ("tasks", "held", "rate\n/s", "p50\nms", "p95\nms", "p99\nms", "largest\nrate /s")
    made = table("way", numbers=columns)
    for one in found.simulated:
        waits = one.waited
        made.add_row(
            one.way,
            f"{one.tasks:,}",
            f"{one.in_memory:,}",
            f"{one.rate_per_second:g}",
            *(text.amount(value) for value in (waits.ms_p50, waits.ms_p95, waits.ms_p99))
            if waits
            else ("too", "many", ""),
            text.amount(one.largest_rate_per_second),
        )
    out.print(made)
    for played in found.rehearsed:
        pairs = zip(
            (played.simulated.ms_p50, played.simulated.ms_p95, played.simulated.ms_p99),
            (played.measured.ms_p50, played.measured.ms_p95, played.measured.ms_p99),
            strict=True,
        )
        told = ", ".join(f"{text.amount(one)} and {text.amount(other)}" for one, other in pairs)
        fast = played.simulated_as_fast
        speed = (
            f"; batches took x{played.service_ratio:.2f} of what was assumed, with which simulated "
            f"{', '.join(map(text.amount, (fast.ms_p50, fast.ms_p95, fast.ms_p99)))} ms"
            if fast and played.service_ratio
            else ""
        )
        out.print(
            f"Rehearsed {played.way}, {played.tasks} tasks, {text.amount(played.rate_per_second)} /s, "
            f"{played.requests:,} requests: p50, p95, p99 simulated and measured {told} ms{speed}.",
            style="dim",
            highlight=False,
            soft_wrap=True,
        )


def sentences(record: ServingRecord) -> list[str]:
    """From where on one way is faster than another, size by size, by the batches that can be trusted."""
    from reports import text
    from reports.stats.latency import trusted
    from reports.stats.serving_said import pays

    found = []
    doubtful = sum(not trusted(batch.control) for batch in record.batches)
    if doubtful:
        found.append(
            f"! In {doubtful} of {text.plural(len(record.batches), 'comparison')} the base differs from "
            "itself (A/A), for other work on the machine, say: no break-even rests on them."
        )
    for one in pays(record):
        size = f"At {one.batch_size} x {one.sequence_length} tokens"
        if one.batch_size > 1 and one.mixing is not None:
            told = f"{size} a mixed batch is faster than task after task from this many distinct tasks on: "
            told += one.mixing_said
            if one.mixing_merged is not None:
                told += f"; than merging each in turn: {one.mixing_merged_said}"
            found.append(f"{told}.")
        if one.merging is not None:
            found.append(
                f"{size} merging a task first pays from this many batches of it in a row on: "
                f"{one.merging_said}."
            )
    return found


def _took(one: Took) -> str:
    from reports import text

    return text.amount(one.ms_p50)
