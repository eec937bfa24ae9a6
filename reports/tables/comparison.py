"""Records as pandas tables: one row per trial, or one row per method and setting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from reports.records.identity import identity
from reports.records.origins import Origin, Origins, origin_of
from reports.records.schema import Record
from reports.records.tuning import how_set
from reports.stats.aggregate import Row, Spread
from reports.stats.busy import busy
from reports.stats.latency import Ratio
from reports.stats.section import Section
from reports.stats.sections import sections

_TIMED = ("latency_ms_p50", "latency_ms_p95", "ratio", "ratio_low", "ratio_high")
_CACHE = ("base_cache_bytes", "cache_bytes", "front_bytes")

_LOST = ("measure", "before", "after", "ratio", "ratio_low", "ratio_high")

_WHOLE = (
    "method_parameters",
    "head_parameters",
    "trainable_parameters",
    "stored_parameters",
    "peak_training_bytes",
    "checkpoint_bytes",
    "n_lost",
    "tuning_trials",
    "tuning_examples",
    "side_by_side",
    *_CACHE,
)

_PACE = ("step_ms_p50", "step_ms_p95", "cpu_share", "waited_share", "load_average")
"""Of ``Training``: how long a step took, and whether the machine had time for it."""


def trials(records: Sequence[Record], origins: Origins | None = None) -> pd.DataFrame:
    """One row per trial with every single-valued number; metrics are `selection.<name>`, `report.<name>`, and
    of a further report split `report.<split>.<name>`.

    `origin` and `submitter` tell who measured it; what is not in ``origins`` is self-reported.
    """
    return _frame(_trial(record) | _whose(origin_of(record, origins)) for record in records)


def _whose(origin: Origin) -> dict[str, str | None]:
    return {"origin": origin.kind, "submitter": origin.by or None}


def compare(records: Sequence[Record], origins: Origins | None = None) -> pd.DataFrame:
    """One row per model, task, method and setting over its seeds, the best score of each task first.

    `score` is the mean of the main metric on the reported split, `score_low` and `score_high` its 95 %
    interval (null below three seeds, and where a seed learned nothing) over what `interval_over` says, and
    `score_sd` the sample standard deviation (null with one). Trials that did not complete are counted, never
    dropped: a seed that diverged counts in the mean as the best constant answer, a method of which no trial
    completed is a row without a score. `lost_share` is the share of seeds that learned nothing with its exact
    interval, and `learned_score` the mean of those that did, where some did not. Costs are medians over
    completed seeds; times over those of one `machine`, which trained `side_by_side` trials at once, and of
    which `busy_seeds` were trained while others took its cores: their times are too long. `origin` tells who
    measured a row, and `not_ranked` why a row is only shown; such rows come last. Every metric is
    `report.<name>`, of a further report split `report.<split>.<name>`, each with its standard deviation.
    """
    return compare_sections(sections(records, origins))


def compare_sections(found: Sequence[Section]) -> pd.DataFrame:
    """The same of records that are grouped already."""
    return _frame(_compared(section, row) for section in found for row in section.every_row)


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a table, column by column: so many dictionaries at once would take most of a site's memory."""
    columns: dict[str, Any] = {}
    count = 0
    for row in rows:
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend([math.nan] * (count - len(column)))
            column.append(value)
        count += 1
    for column in columns.values():
        column.extend([math.nan] * (count - len(column)))
    for name in _WHOLE:
        if name in columns:
            # From the numbers themselves: a column with a null is one of floats, which hold 53 bits.
            columns[name] = pd.array(columns[name], dtype="Int64")
    return pd.DataFrame(columns)


def _trial(record: Record) -> dict[str, Any]:
    which = identity(record)
    counts, scores, training = record.parameters, record.scores, record.training
    latency, environment = record.latency, record.environment
    rows = {name: getattr(latency, name, None) for name in ("unmerged", "merged", "control")}
    timings = {f"{name}_{field}": getattr(row, field, None) for name, row in rows.items() for field in _TIMED}
    values = {
        f"{split}.{name}": value
        for split in ("selection", "report", "majority")
        for name, value in (getattr(scores, split) if scores else {}).items()
    }
    for further, found in record.further_reports.items():
        values |= {f"report.{further}.{name}": value for name, value in found.scores.items()}
        values |= {f"majority.{further}.{name}": value for name, value in found.majority.items()}
    return {
        "trial_id": record.trial_id,
        "study": record.study,
        "model": which.model,
        "task": which.task,
        "method": which.method,
        "options": json.dumps(which.options, sort_keys=True),
        "protocol": json.dumps(record.spec["protocol"], sort_keys=True),
        "seed": which.seed,
        "settings": how_set([record]),
        "tuning_trials": record.tuning.trials if record.tuning else None,
        "tuning_examples": record.tuning.examples if record.tuning else None,
        "status": record.status,
        "message": record.message,
        "metric": record.task.main_metric if record.task else None,
        "score": scores.report.get(record.task.main_metric) if scores and record.task else None,
        "best_step": scores.best_step if scores else None,
        "method_parameters": counts.method if counts else None,
        "head_parameters": counts.head if counts else None,
        "trainable_parameters": counts.trainable if counts else None,
        "trainable_share": counts.trainable_share if counts else None,
        "stored_parameters": counts.stored if counts else None,
        "peak_training_bytes": record.memory.peak_training_bytes if record.memory else None,
        "training_seconds": training.seconds if training else None,
        "examples_per_second": training.examples_per_second if training else None,
        **{name: getattr(training, name, None) for name in _PACE},
        "training_joules": training.energy.joules if training and training.energy else None,
        "busy": busy(record),
        "side_by_side": environment.side_by_side,
        **timings,
        **_writing(record),
        "checkpoint_bytes": record.checkpoint_bytes,
        "wall_seconds": record.wall_seconds,
        "device": environment.device,
        "commit": environment.commit,
        "tree_clean": environment.tree_clean,
        **values,
    }


def _writing(record: Record) -> dict[str, Any]:
    """What a trial says of text that is written, and of what it forgot."""
    found, lost = record.decoding, record.forgetting
    timings = {
        f"{token}_token_{name}_{field}": getattr(
            getattr(getattr(found, f"{token}_token", None), name, None), field, None
        )
        for token in ("first", "next")
        for name in ("unmerged", "merged", "control")
        for field in _TIMED
    }
    return {
        **timings,
        **{name: getattr(found, name, None) for name in ("tokens_per_second", *_CACHE)},
        **{f"forgetting_{name}": getattr(lost, name, None) for name in _LOST},
    }


def _compared(section: Section, row: Row) -> dict[str, Any]:
    metrics = {
        key: value
        for name, spread in row.metrics.items()
        for key, value in ((f"report.{name}", spread.mean), (f"report.{name}.sd", spread.sd))
    }
    for further, spreads in row.further.items():
        for name, spread in spreads.items():
            metrics |= {f"report.{further}.{name}": spread.mean, f"report.{further}.{name}.sd": spread.sd}
    return {
        "model": section.model,
        "task": section.task,
        "method": row.identity.method,
        "label": row.label,
        "options": json.dumps(row.identity.options, sort_keys=True),
        "settings": how_set(row.records),
        "metric": section.info.main_metric if section.info else None,
        **_spread("score", row.score),
        "score_sd": row.score.sd,
        "interval_over": _over(row),
        "n_seeds": len(row.records),
        "n_scored": row.score.n,
        "n_completed": row.statuses["completed"],
        "n_diverged": row.statuses["diverged"],
        "n_out_of_memory": row.statuses["out_of_memory"],
        "n_failed": row.statuses["failed"],
        "n_lost": row.risk.lost,
        "lost_share": row.risk.share,
        "lost_share_low": row.risk.interval.low if row.risk.interval else None,
        "lost_share_high": row.risk.interval.high if row.risk.interval else None,
        **_spread("learned_score", row.learned or Spread(None, None, 0)),
        "floor": section.floor,
        "method_parameters": row.method_parameters,
        "trainable_share": row.trainable_share,
        "head_parameters": row.head_parameters,
        "trainable_parameters": row.trainable_parameters,
        "stored_parameters": row.stored_parameters,
        "peak_training_bytes": row.peak_training_bytes,
        "machine": row.machine.told if row.machine else None,
        "timed_seeds": ", ".join(map(str, row.timed_seeds)) or None,
        "busy_seeds": ", ".join(map(str, row.busy_seeds)) or None,
        "side_by_side": row.side_by_side,
        "training_seconds": row.training_seconds,
        "examples_per_second": row.examples_per_second,
        **_ratio("latency_ratio", row.unmerged),
        **_ratio("merged_latency_ratio", row.merged),
        **_written(row),
        **_ratio("forgetting_ratio", row.forgetting.ratio if row.forgetting else None),
        "checkpoint_bytes": row.checkpoint_bytes,
        "pareto_front": row.on_front,
        "pareto_mark": row.mark,
        "pareto_share": row.front_share,
        "origin": row.origin.kind,
        "submitter": row.origin.by or None,
        "not_ranked": row.apart or None,
        **metrics,
    }


def _written(row: Row) -> dict[str, float | int | None]:
    """Times of tokens that are written, and the cache, where the model writes."""
    found = row.decoding
    ratios = {
        "first_token_ratio": found.first.unmerged if found else None,
        "merged_first_token_ratio": found.first.merged if found else None,
        "next_token_ratio": found.following.unmerged if found else None,
        "merged_next_token_ratio": found.following.merged if found else None,
    }
    return {
        **{key: value for name, one in ratios.items() for key, value in _ratio(name, one).items()},
        **{name: getattr(found, name, None) for name in ("tokens_per_second", *_CACHE)},
    }


def _spread(name: str, spread: Spread) -> dict[str, float | None]:
    ends = spread.interval
    return {
        name: spread.mean,
        f"{name}_low": ends.low if ends else None,
        f"{name}_high": ends.high if ends else None,
    }


def _over(row: Row) -> str | None:
    spread = next((one for one in (row.score, row.learned) if one and one.interval), None)
    return None if spread is None else "seeds and examples" if spread.over_examples else "seeds"


def _ratio(name: str, ratio: Ratio | None) -> dict[str, float | None]:
    return {
        name: ratio.value if ratio else None,
        f"{name}_low": ratio.low if ratio else None,
        f"{name}_high": ratio.high if ratio else None,
    }
