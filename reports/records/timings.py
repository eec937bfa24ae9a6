"""The arithmetic of what was timed beside the untouched base, and of what was forgotten beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from reports.records.cost_parts import Decoding, Forgetting, Latency, LatencyRow, Pace
from reports.records.identity import identity
from reports.records.schema import Record

LEAST_RATIO: Final = 1e-6
"""Of the times of two models: beyond it, or its inverse, no measurement lies."""

RELATIVE: Final = 1e-6  # between a number and what it is computed from


def timing_faults(record: Record) -> Iterator[str]:
    """What contradicts itself among latency, decoding and forgetting; one sentence each."""
    if record.latency:
        yield from _paced("$.latency", record.latency)
    if record.decoding:
        yield from _decoding_faults(record, record.decoding)
    if record.forgetting:
        yield from _forgetting_faults(record.forgetting)


def _paced(path: str, found: Latency | Pace) -> Iterator[str]:
    for name in ("control", "unmerged", "merged"):
        row = getattr(found, name)
        if row is not None:
            yield from row_faults(f"{path}.{name}", row)


def row_faults(path: str, row: LatencyRow) -> Iterator[str]:
    """What contradicts itself in one contender's times."""
    if not row.ratio_low <= row.ratio <= row.ratio_high:
        yield (f"{path}.ratio is {row.ratio:g}, outside its interval {row.ratio_low:g} to {row.ratio_high:g}")
    if not (row.ratio_low >= LEAST_RATIO and row.ratio_high <= 1 / LEAST_RATIO):
        yield (
            f"{path} has a ratio of {row.ratio_low:g} to {row.ratio_high:g}: no two models "
            f"differ by more than {1 / LEAST_RATIO:g}"
        )
    if row.latency_ms_p95 < row.latency_ms_p50:
        yield (f"{path}.latency_ms_p95 is {row.latency_ms_p95:g}, below the median of {row.latency_ms_p50:g}")


def _decoding_faults(record: Record, found: Decoding) -> Iterator[str]:
    first, following = found.first_token, found.next_token
    yield from _paced("$.decoding.first_token", first)
    yield from _paced("$.decoding.next_token", following)
    settings = identity(record).settings
    if not (settings.get("generation") or settings.get("text_to_text")):
        yield "$.decoding is there, but $.spec says nothing of a model that writes"
    if record.latency:
        yield "$.decoding is there, and so is $.latency: a trial has one of them"
    if len({first.merged is None, following.merged is None, found.merged_tokens_per_second is None}) > 1:
        yield "$.decoding has times of a merged model in one part, and none in another"
        return
    for name, one, other in (
        ("base_tokens_per_second", first.base_ms_p50, following.base_ms_p50),
        ("tokens_per_second", first.unmerged.latency_ms_p50, following.unmerged.latency_ms_p50),
        *(
            [("merged_tokens_per_second", first.merged.latency_ms_p50, following.merged.latency_ms_p50)]
            if first.merged and following.merged
            else []
        ),
    ):
        said, computed = getattr(found, name), pace(found.written_tokens, one, other)
        if not math.isclose(said, computed, rel_tol=RELATIVE):
            yield f"$.decoding.{name} is {said:g}, but the median times give {computed:g}"


def pace(tokens: int, first_ms: float, next_ms: float) -> float:
    """Tokens a second of a text of so many, from the times of its first token and of each that follows."""
    return tokens / (first_ms + (tokens - 1) * next_ms) * 1e3


def _forgetting_faults(found: Forgetting) -> Iterator[str]:
    computed = found.after / found.before
    if not math.isclose(found.ratio, computed, rel_tol=RELATIVE):
        yield f"$.forgetting.ratio is {found.ratio:g}, but after / before is {computed:g}"
    if (found.measure == "perplexity") != (found.tokens is not None):
        yield "$.forgetting.tokens are those that a perplexity is of, and of nothing else"
    least, most = (1.0, math.inf) if found.measure == "perplexity" else (0.0, 1.0)
    for name in ("before", "after"):
        if not least <= getattr(found, name) <= most:
            yield f"$.forgetting.{name} is {getattr(found, name):g}, which no {found.measure} is"
    if not found.ratio_low <= found.ratio <= found.ratio_high:
        yield (
            f"$.forgetting.ratio is {found.ratio:g}, outside its interval {found.ratio_low:g} to "
            f"{found.ratio_high:g}"
        )
