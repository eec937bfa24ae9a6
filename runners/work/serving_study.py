"""Running a study of serving: a record for each method, written the moment it is done.

Started again, a study does the methods that have no file yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from reports.records.serving_files import read_servings, write_serving
from reports.records.serving_schema import ServingRecord
from runners.measure.serving.cost import ServeCost, Watch
from runners.plan.contenders import Choice
from runners.plan.serving_study import ServingStudy


def run(
    study: ServingStudy,
    folder: Path | None,
    *,
    watch: Watch,
    done: Callable[[ServingRecord], None] = lambda record: None,
) -> list[ServingRecord]:
    """Measure the methods that have no file yet; return the records of all.

    Args:
        study: what to measure.
        folder: where records are; None: nothing is kept.
        watch: is told of progress, and what was left out and why.
        done: is told of every record.

    Raises:
        ModelError, MethodError, SpecError: as of :class:`ServeCost`.
    """
    records, arriving = [], study.arrivals
    for choice in study.choices:
        kept = read_servings(folder) if folder is not None and folder.is_dir() else []
        found = next((record for record in kept if is_of(study, choice, record)), None)
        if found is None:
            cost = ServeCost(study.model, choice, study.asked, dtype=getattr(torch, study.dtype))
            found = cost.measure(study=study.name, arriving=arriving, watch=watch)
            if folder is not None:
                write_serving(found, folder)
        if arriving is not None and arriving.rate is None and found.arrivals is not None:
            # The rate that the first one took for itself: else methods could not be compared.
            arriving = replace(arriving, rate=found.arrivals.simulated[0].rate_per_second)
        records.append(found)
        done(found)
    return records


def is_of(study: ServingStudy, choice: Choice, record: ServingRecord, threads: int | None = None) -> bool:
    """Whether a record is of this study and method, with so many threads; None for torch's."""
    asked = study.asked
    sizes = {(one.batch_size, one.sequence_length) for one in record.batches}
    return (
        (record.model, record.dtype, record.mix, record.seed, record.environment.threads)
        == (study.model, study.dtype, asked.mix, asked.seed, threads or torch.get_num_threads())
        and (record.study, record.label, record.method) == (study.name, choice.label, choice.method)
        and tuple(one.tasks for one in record.stored) == tuple(asked.tasks)
        and sizes <= {(rows, length) for rows in asked.batches for length in asked.lengths}
        and (record.arrivals is None) == (study.arrivals is None)
    )
