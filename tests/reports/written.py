"""A record of a trial that writes, made of any other."""

from __future__ import annotations

from typing import Any

from reports.records.cost_parts import Decoding, Forgetting, LatencyRow, Pace
from reports.records.schema import Record
from reports.records.timings import pace


def timing(base_ms: float, ratio: float) -> LatencyRow:
    return LatencyRow(
        latency_ms_p50=base_ms * ratio,
        latency_ms_p95=base_ms * ratio * 1.2,
        ratio=ratio,
        ratio_low=ratio * 0.99,
        ratio_high=ratio * 1.02,
    )


def paced(base_ms: float, ratio: float, merged: float | None) -> Pace:
    return Pace(
        base_ms_p50=base_ms,
        control=timing(base_ms, 1.0),
        unmerged=timing(base_ms, ratio),
        merged=None if merged is None else timing(base_ms, merged),
    )


def writes(
    record: Record, ratio: float = 1.25, merged: float | None = 1.0, forgot: float | None = 1.1
) -> Record:
    """The record with the times of text that is written in place of a latency, and with what it forgot."""
    first, following = paced(100.0, 1.1, merged), paced(40.0, ratio, merged)
    decoding = Decoding(
        prompt_length=32,
        written_tokens=16,
        rounds=30,
        first_token=first,
        next_token=following,
        base_tokens_per_second=pace(16, 100.0, 40.0),
        tokens_per_second=pace(16, first.unmerged.latency_ms_p50, following.unmerged.latency_ms_p50),
        merged_tokens_per_second=None if merged is None else pace(16, 100.0 * merged, 40.0 * merged),
        base_cache_bytes=1_000_000,
        cache_bytes=1_400_000,
        front_bytes=20_000,
        max_input_length=1024,
        merge_logit_difference=None if merged is None else 3e-6,
    )
    forgetting = Forgetting(
        measure="perplexity",
        text="imdb",
        text_sha256="cd" * 32,
        texts=100,
        tokens=12_000,
        longest=128,
        before=20.0,
        after=20.0 * (forgot or 1),
        ratio=forgot or 1,
        ratio_low=(forgot or 1) * 0.98,
        ratio_high=(forgot or 1) * 1.03,
    )
    protocol: dict[str, Any] = {**record.spec["protocol"], "generation": {"longest": 64, "beams": 1}}
    return record.model_copy(
        update={
            "spec": {**record.spec, "protocol": protocol},
            "latency": None,
            "decoding": decoding,
            "forgetting": None if forgot is None else forgetting,
        }
    )
