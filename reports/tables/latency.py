"""Latency comparisons as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.records.latency_schema import LatencyRecord
from reports.records.origins import Origins, origin_of
from reports.stats.latency import decision, interval, trusted

_OF_THE_RECORD = {"study", "model", "dtype", "phase", "batch_size", "sequence_length"}


def latency_frame(records: Sequence[LatencyRecord], origins: Origins | None = None) -> pd.DataFrame:
    """One row per contender and comparison, with raw numbers.

    ``ratio_low`` to ``ratio_high`` is the record's interval over rounds, ``low`` to ``high`` that over rounds
    and processes.

    Args:
        records: what to list.
        origins: who measured a comparison; what is not in it is self-reported.
    """
    measured = [(record, origin_of(record, origins)) for record in records]
    rows = [
        {
            **record.model_dump(include=_OF_THE_RECORD),
            **entry.model_dump(exclude={"options"}),
            "rounds": record.rounds,
            "low": ends.low,
            "high": ends.high,
            "decision": decision(record, entry) if entry.method else None,
            "trusted": trusted(record.control),
            "device": record.environment.device_name,
            "threads": record.environment.threads,
            "origin": origin.kind,
            "submitter": origin.by or None,
        }
        for record, origin in measured
        for entry in record.entries
        for ends in [interval(entry)]
    ]
    return pd.DataFrame(rows)
