"""Further report splits of a record: what their numbers must be, and the record read as one of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from reports.errors import RecordError
from reports.records.answers import unpacked
from reports.records.bounds import step
from reports.records.metrics import METRICS, SPAN_METRICS
from reports.records.schema import Answers, Record

ROUNDING: Final = 1e-4  # of a correlation of float32 numbers

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def further_faults(record: Record) -> Iterator[str]:
    """What cannot be of a further report split, a sentence each."""
    if record.further_reports and (record.task is None or record.scores is None):
        yield "$.further_reports are there, but the trial has no score"
        return
    names = {metric.name for metric in record.task.metrics} if record.task else set()
    for name, found in record.further_reports.items():
        path = step("$.further_reports", name)
        if not _NAME.fullmatch(name):
            yield f"{path} is no name of a split, expected letters, digits, '-', '_' or '.'"
        for key, values in (("scores", found.scores), ("majority", found.majority)):
            for metric in values.keys() - names:
                yield f"{step(f'{path}.{key}', metric)} is not among $.task.metrics"
        for metric in names - found.scores.keys():
            yield f"{step(f'{path}.scores', metric)} is missing, and $.task.metrics declares it"
        if found.truncated > found.examples:
            yield f"{path}.truncated is {found.truncated}, but {path}.examples is {found.examples}"
        if found.answers is None:
            continue
        if found.answers.count != found.examples:
            yield f"{path}.answers.count is {found.answers.count}, but {path}.examples is {found.examples}"
        yield from score_faults(found.answers, found.scores, f"{path}.answers", f"{path}.scores")


def score_faults(
    answers: Answers, scores: Mapping[str, float | None], path: str, scores_path: str
) -> Iterator[str]:
    """Where answers give other scores than are told.

    Args:
        answers: to every example.
        scores: metric name to value.
        path: of the answers in the record.
        scores_path: of the scores.
    """
    try:
        predicted, references = unpacked(answers)
    except RecordError as error:
        yield f"{path}: {error}"
        return
    known = METRICS if answers.hits is None else SPAN_METRICS
    if answers.hits is not None and (predicted[:, 0] > np.minimum(predicted[:, 1], references)).any():
        yield f"{path}.hits has more right spans of a sentence than it was given or has"
    for name, said in scores.items():
        if name not in known:
            continue
        found = known[name](predicted, references)
        if (said is None) != math.isnan(found) or (said is not None and not abs(found - said) <= ROUNDING):
            yield f"{step(scores_path, name)} is {said}, but {path} give {found:.6g}"


def read_as(record: Record, name: str) -> Record:
    """A record as if a further report split were the one that it reports; without such a split, no score."""
    if record.task is None or record.scores is None:
        return record
    found = record.further_reports.get(name)
    if found is None:
        return record.model_copy(update={"scores": None, "answers": None})
    sizes = record.task.sizes.model_copy(update={"report": found.examples})
    return record.model_copy(
        update={
            "task": record.task.model_copy(update={"sizes": sizes}),
            "scores": record.scores.model_copy(update={"report": found.scores, "majority": found.majority}),
            "answers": found.answers,
        }
    )
