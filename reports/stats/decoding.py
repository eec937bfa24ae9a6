"""What a row says of writing, over its runs: times of first and next tokens beside the base; the cache."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from reports.records.cost_parts import Decoding, LatencyRow, Pace
from reports.records.schema import Record
from reports.stats.latency import Ratio, ratio


@dataclass(frozen=True)
class Token:
    """Times of one kind of token relative to the untouched base, over the runs of one machine."""

    unmerged: Ratio
    merged: Ratio | None
    """None where the method does not merge."""
    unmerged_ms: float
    base_ms: float


@dataclass(frozen=True)
class Written:
    """Of a text that is written, batch 1."""

    first: Token
    following: Token
    tokens_per_second: float
    cache_bytes: int
    base_cache_bytes: int
    front_bytes: int
    """Once for all texts, beside the cache."""


def written(parts: Sequence[Decoding]) -> Written | None:
    """Over one or more runs: ratios as of any latency, medians of the rest; None where there is no run."""
    if not parts:
        return None
    return Written(
        first=_token([part.first_token for part in parts]),
        following=_token([part.next_token for part in parts]),
        tokens_per_second=statistics.median(part.tokens_per_second for part in parts),
        cache_bytes=round(statistics.median(part.cache_bytes for part in parts)),
        base_cache_bytes=round(statistics.median(part.base_cache_bytes for part in parts)),
        front_bytes=round(statistics.median(part.front_bytes for part in parts)),
    )


def _token(paces: Sequence[Pace]) -> Token:
    merged = [pace.merged for pace in paces if pace.merged is not None]
    return Token(
        unmerged=ratio([pace.unmerged for pace in paces]),
        merged=ratio(merged) if merged else None,
        unmerged_ms=statistics.median(pace.unmerged.latency_ms_p50 for pace in paces),
        base_ms=statistics.median(pace.base_ms_p50 for pace in paces),
    )


def controls(record: Record) -> list[LatencyRow]:
    """What a trial timed of the base against itself; of text that is written, the next token last."""
    found = [record.latency.control] if record.latency else []
    if record.decoding:
        found += [record.decoding.first_token.control, record.decoding.next_token.control]
    return found
