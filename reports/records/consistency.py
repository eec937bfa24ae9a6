"""The arithmetic of one record: what its numbers must be to each other. Each fault is one sentence."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from reports.records import searches
from reports.records.bounds import step
from reports.records.checks import UNITS
from reports.records.further import further_faults, score_faults
from reports.records.identity import identity, is_search, spec_hash
from reports.records.schema import Record, Scores, TaskInfo, Training, Tuning
from reports.records.timings import timing_faults

RELATIVE: Final = 1e-6  # between a number and what it is computed from
SLACK_SECONDS: Final = 0.01
NEEDED_PACKAGES: Final = ("torch", "transformers")

COSTS: Final = ("memory", "compute", "latency", "decoding", "serving", "forgetting")
"""What may be missing for a reason."""


def arithmetic_faults(record: Record) -> Iterator[str]:
    """What cannot have come from one run of Paretune: contradictions that reading alone does not see.

    Expects a record without a fault of :func:`reports.records.checks.record_faults`.
    """
    yield from _identity_faults(record)
    yield from _cut_faults(record.task)
    yield from _count_faults(record)
    yield from _training_faults(record)
    yield from _score_faults(record)
    yield from _answer_faults(record)
    yield from further_faults(record)
    yield from _memory_faults(record)
    yield from _gap_faults(record)
    yield from timing_faults(record)
    yield from _environment_faults(record)
    if record.tuning:
        yield from _tuning_faults(record.tuning)
        yield from _rung_faults(record, record.tuning)


def _identity_faults(record: Record) -> Iterator[str]:
    expected = spec_hash(record.spec)
    if record.trial_id != expected:
        yield f"$.trial_id is {record.trial_id!a:.80}, but $.spec hashes to {expected}"
    which = identity(record)
    for path, said, named in (
        ("$.model.name", record.model and record.model.name, which.model),
        ("$.task.name", record.task and record.task.name, which.task),
    ):
        if said is not None and said != named:
            yield f"{path} is {said!a:.80}, but $.spec names {named!a:.80}"
    if which.seed < 0:
        yield f"$.spec.seed is {which.seed}, expected 0 or more"
    if record.status == "completed" and record.message is not None:
        yield "$.message must be null where the trial is marked completed"
    if record.status == "diverged" and record.scores is not None:
        yield "$.scores must be null where the trial is marked diverged"


def _cut_faults(task: TaskInfo | None) -> Iterator[str]:
    """No more examples are cut than there are."""
    if task is None or task.truncated is None:
        return
    for split, cut in task.truncated:
        size = getattr(task.sizes, split)
        if cut is not None and size is not None and cut > size:
            yield f"$.task.truncated.{split} is {cut}, but $.task.sizes.{split} is {size}"


def _count_faults(record: Record) -> Iterator[str]:
    counts = record.parameters
    if counts is None:
        return
    if counts.parts and sum(counts.parts.values()) != counts.method:
        yield (
            f"$.parameters.parts add up to {sum(counts.parts.values())}, "
            f"but $.parameters.method is {counts.method}"
        )
    for name, size in counts.parts.items():
        if size < 0:
            yield f"{step('$.parameters.parts', name)} is {size}, expected 0 or more"
    if counts.base and not _close(counts.trainable_share, counts.method / counts.base):
        yield (
            f"$.parameters.trainable_share is {counts.trainable_share:g}, "
            f"but method / base is {counts.method / counts.base:g}"
        )
    kept = record.checkpoint_bytes
    if kept is not None and kept < 0:
        yield f"$.checkpoint_bytes is {kept}, expected 0 or more"


def _training_faults(record: Record) -> Iterator[str]:
    found = record.training
    if found is None:
        return
    settings = identity(record).settings
    asked, batch = settings.get("steps"), settings.get("batch_size")
    pruned = record.status == "pruned"
    if isinstance(asked, int) and not pruned and found.steps != asked:
        yield f"$.training.steps is {found.steps}, but $.spec.protocol.steps is {asked}"
    if isinstance(asked, int) and pruned and found.steps >= asked:
        yield f"$.training.steps is {found.steps} of {asked}, but the trial is marked pruned"
    if isinstance(batch, int) and not found.steps <= found.examples <= found.steps * batch:
        yield (
            f"$.training.examples is {found.examples}, but {found.steps} steps of at most {batch} examples "
            f"are {found.steps} to {found.steps * batch}"
        )
    if found.seconds > 0 and not _close(found.examples_per_second, found.examples / found.seconds):
        yield (
            f"$.training.examples_per_second is {found.examples_per_second:g}, "
            f"but examples / seconds is {found.examples / found.seconds:g}"
        )
    spent = found.seconds + found.evaluation_seconds
    # Of a trial that was killed, `wall_seconds` is what the last of its processes took.
    if spent > record.wall_seconds + SLACK_SECONDS and not found.resumed_at:
        yield f"$.wall_seconds is {record.wall_seconds:g}, but training and evaluation took {spent:g}"
    yield from _pace_faults(found)
    steps = [point.step for point in record.curve]
    if any(after <= before for before, after in itertools.pairwise(steps)):
        yield "$.curve is not in the order of its steps"
    if steps and steps[-1] > found.steps:
        yield f"$.curve reaches step {steps[-1]}, but $.training.steps is {found.steps}"
    if record.scores and record.scores.best_step > found.steps:
        yield f"$.scores.best_step is {record.scores.best_step}, but $.training.steps is {found.steps}"


def _pace_faults(found: Training) -> Iterator[str]:
    median, slow = found.step_ms_p50, found.step_ms_p95
    if median is None or slow is None:
        return
    if slow < median:
        yield f"$.training.step_ms_p95 is {slow:g}, below the median {median:g}"
    if found.steps * median / 2 > (found.seconds + SLACK_SECONDS) * 1e3:
        yield (
            f"$.training.step_ms_p50 is {median:g}, but half of {found.steps} steps took that or more, "
            f"and all of them {found.seconds:g} s"
        )


def _score_faults(record: Record) -> Iterator[str]:
    task, scores = record.task, record.scores
    if task is None:
        return
    names = [metric.name for metric in task.metrics]
    for index, metric in enumerate(task.metrics):
        if metric.name in names[:index]:
            yield f"$.task.metrics[{index}].name repeats {metric.name!a:.80}"
        if record.suite is None and metric.unit not in UNITS:
            yield f"$.task.metrics[{index}].unit is {metric.unit!a:.80}, expected {' or '.join(UNITS)}"
    if scores is not None:
        yield from _split_faults(task, scores, () if is_search(record) else ("report",))
        yield from _curve_faults(record, task, scores)


def _split_faults(task: TaskInfo, scores: Scores, whole: Sequence[str]) -> Iterator[str]:
    """No split has other metrics than the task declares, and those in ``whole`` have all of them."""
    names = {metric.name for metric in task.metrics}
    for split in ("selection", "report"):
        values = getattr(scores, split)
        for name in values.keys() - names:
            yield f"{step(f'$.scores.{split}', name)} is not among $.task.metrics"
        for name in names - values.keys() if split in whole else ():
            yield f"{step(f'$.scores.{split}', name)} is missing, and $.task.metrics declares it"
    for name in scores.majority.keys() - names:
        yield f"{step('$.scores.majority', name)} is not among $.task.metrics"


def _curve_faults(record: Record, task: TaskInfo, scores: Scores) -> Iterator[str]:
    """The scored checkpoint is a point of the curve, and none was better on the selection split."""
    main = task.main_metric
    values = {point.step: point.selection.get(main) for point in record.curve}
    if not values or record.suite is not None:
        return
    if scores.best_step not in values:
        yield f"$.scores.best_step is {scores.best_step}, at which $.curve has no point"
        return
    chosen, said = values[scores.best_step], scores.selection.get(main)
    if (chosen is None) != (said is None) or (chosen is not None and said is not None and chosen != said):
        yield f"{step('$.scores.selection', main)} is {said}, but $.curve has {chosen} at the best step"
        return
    sign = 1 if next(m.higher_is_better for m in task.metrics if m.name == main) else -1
    best = max((sign * value for value in values.values() if value is not None), default=None)
    if best is not None and (chosen is None or sign * chosen < best):
        yield f"$.scores.best_step is {scores.best_step}, but $.curve has a better point: {sign * best:g}"


def _answer_faults(record: Record) -> Iterator[str]:
    """The answers are those of the reported split, and give its scores."""
    answers, scores, task = record.answers, record.scores, record.task
    if answers is None:
        return
    if scores is None or task is None or is_search(record) or record.suite is not None:
        yield "$.answers are there, but the trial has no score on the reported split of ours"
        return
    if answers.count != task.sizes.report:
        yield f"$.answers.count is {answers.count}, but $.task.sizes.report is {task.sizes.report}"
    yield from score_faults(answers, scores.report, "$.answers", "$.scores.report")


def _gap_faults(record: Record) -> Iterator[str]:
    """A cost is there, or missing with a reason, or in the record of another trial."""
    for name in record.gaps:
        path = step("$.gaps", name)
        if name not in COSTS:
            yield f"{path} is there, expected one of {', '.join(COSTS)}"
        elif getattr(record, name) is not None:
            yield f"{path} says that it could not be measured, but $.{name} is there"
        elif record.status != "completed":
            yield f"{path} is there, but the trial is marked {record.status}"
    here = record.gaps.keys() - {"forgetting"} or record.latency or record.decoding  # that is each seed's own
    if record.costs_from is not None and (here or record.costs_from == record.trial_id):
        yield "$.costs_from names another trial's record, but the costs, or their gaps, are here"


def _memory_faults(record: Record) -> Iterator[str]:
    found = record.memory
    if found is None:
        return
    parts = ("parameters", "gradients", "optimizer", "activations", "temporary")
    sizes = [getattr(found, f"{part}_bytes") for part in parts]
    if None not in sizes and sum(sizes) != found.peak_training_bytes:
        yield (
            f"$.memory.peak_training_bytes is {found.peak_training_bytes}, "
            f"but its parts add up to {sum(sizes)}"
        )
    if found.parameters_bytes is not None and found.parameters_bytes > found.peak_training_bytes:
        yield (
            f"$.memory.parameters_bytes is {found.parameters_bytes}, "
            f"more than the peak of {found.peak_training_bytes}"
        )
    batch = identity(record).settings.get("batch_size")
    if isinstance(batch, int) and found.batch_size > batch:
        yield f"$.memory.batch_size is {found.batch_size}, but $.spec.protocol.batch_size is {batch}"


def _environment_faults(record: Record) -> Iterator[str]:
    where = record.environment
    if where.commit is not None and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", where.commit):
        yield f"$.environment.commit is {where.commit!a:.80}, expected a git commit in hexadecimal"
    if where.commit is None and where.tree_clean and record.suite is None:
        yield "$.environment.tree_clean is true, but $.environment.commit is null"
    for name in NEEDED_PACKAGES:
        if not where.packages.get(name):
            yield f"$.environment.packages.{name} is missing, and its version moves numbers"
    for name in ("platform", "device", "device_name"):
        if not getattr(where, name):
            yield f"$.environment.{name} is empty"
    try:
        started = datetime.fromisoformat(record.started_at)
    except ValueError:
        yield f"$.started_at is {record.started_at!a:.80}, expected a time in ISO 8601"
        return
    if started.utcoffset() != timedelta(0):
        yield f"$.started_at is {record.started_at!a:.80}, expected a time in UTC"


def _tuning_faults(found: Tuning) -> Iterator[str]:
    """What a search chose is what its own rule finds in what it tried."""
    best = searches.choose(found.history, higher_is_better=found.higher_is_better, tolerance=found.tolerance)
    if best is None or found.chosen == best.values:
        return
    equal = [step.values for step in found.history if (step.steps, step.score) == (best.steps, best.score)]
    if found.tolerance or found.chosen not in equal:  # records of before took any of equals
        what = (
            f" within {found.tolerance:g} of the best, at the lowest rate" if found.tolerance else " the best"
        )
        yield f"$.tuning.chosen is not what $.tuning.history has{what} score for: {best.score:g}"


def _rung_faults(record: Record, found: Tuning) -> Iterator[str]:
    """Settings were stopped at rungs and nowhere else, and their steps make up the examples."""
    if list(found.rungs) != sorted({*found.rungs}) or any(rung < 1 for rung in found.rungs):
        yield f"$.tuning.rungs is {list(found.rungs)}, expected rising numbers of steps"
    for index, tried in enumerate(found.history):
        stopped, path = tried.status == "pruned", f"$.tuning.history[{index}]"
        if stopped and tried.steps not in found.rungs:
            yield f"{path} was pruned after {tried.steps} steps, which is none of $.tuning.rungs"
        if tried.status == "completed" and found.rungs and (tried.steps or 0) <= found.rungs[-1]:
            yield f"{path} completed after {tried.steps} steps, but $.tuning.rungs reach {found.rungs[-1]}"
    steps = [tried.steps for tried in found.history]
    batch = found.protocol.get("batch_size", identity(record).settings.get("batch_size"))
    if None not in steps and isinstance(batch, int):
        total = found.seeds * sum(step for step in steps if step is not None)
        if not total <= found.examples <= total * batch:
            yield (
                f"$.tuning.examples is {found.examples}, but the {total} steps of $.tuning.history, "
                f"of at most {batch} examples, are {total} to {total * batch}"
            )


def _close(said: float, computed: float) -> bool:
    return abs(said - computed) <= RELATIVE * max(abs(said), abs(computed)) + 1e-12
