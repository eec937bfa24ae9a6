"""Records against what the methods and tasks say: closed-form counts, declared metrics, the method's options.

The model of a record is foreign text: it is looked up by name among what comes with Paretune, and is never
a path that is opened or a name that is downloaded.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from pydantic import ValidationError

import methods
import tasks
from methods import MethodError
from methods.core import Options
from methods.errors import explain
from reports.records.bounds import step
from reports.records.identity import Identity, identity, is_search
from reports.records.schema import Record, TaskInfo
from reports.records.validate import Findings
from runners.errors import ModelError
from runners.known import EMBEDDED, architectures
from runners.plan.errors import SpecError
from runners.plan.spec import Protocol
from tasks import DataError, TaskError, TaskSpec
from tasks.own.declaration import ORIGIN, Own
from tasks.spec import FileSource


def against_the_code(record: Record) -> Findings:
    """Check a record against this version's methods and tasks; another suite's is left as it is."""
    found = Findings()
    if record.suite is not None:
        found.skipped.append("$.suite: the counts of another suite are not checked")
        return found
    which = identity(record)
    _check_protocol(record, found)
    _check_task(which, record, found)
    _check_counts(which, record, found)
    return found


def _check_protocol(record: Record, found: Findings) -> None:
    """The protocol is one that this version runs."""
    protocol = record.spec.get("protocol")
    try:
        Protocol.parse(protocol if isinstance(protocol, dict) else {})
    except SpecError as error:
        found.faults.append(f"$.spec.protocol: {error}".removesuffix("."))


def _check_task(which: Identity, record: Record, found: Findings) -> None:
    """The task's version and metrics are those declared."""
    try:
        task = _declaration(which, record)
    except (DataError, ValidationError) as error:
        why = str(error) if isinstance(error, DataError) else explain(error, "it", Own)
        found.faults.append(f"$.spec.own is no task of one's own data: {why}".removesuffix("."))
        return
    except TaskError:
        found.skipped.append(f"$.task: this version of Paretune has no task {which.task!a:.80}")
        return
    if record.task is None:
        return
    if record.spec.get("own") is not None:
        _check_own(record.task, task, found)
    elif record.task.origin is not None and tasks.origin(task.name) is None:
        found.faults.append(
            f"$.task.origin is {record.task.origin!a:.80}, but {task.name} is one of Paretune's: "
            "expected null"
        )
    if record.task.version != task.version:
        found.faults.append(f"$.task.version is {record.task.version}, expected {task.version}")
        return
    if record.task.main_metric != task.main_metric.name:
        found.faults.append(
            f"$.task.main_metric is {record.task.main_metric!a:.80}, expected {task.main_metric.name!r}"
        )
    declared = {m.name: (m.higher_is_better, m.unit) for m in task.metrics}
    if _declared(record.task) != declared:
        found.faults.append(f"$.task.metrics are not those of {task.name}: expected {', '.join(declared)}")
    _check_further(record, task, found)


def _declaration(which: Identity, record: Record) -> TaskSpec:
    """The declaration of a record's task: this version's, or the one in its spec."""
    own = record.spec.get("own")
    if own is None:
        return tasks.get(which.task)
    if which.task in tasks.names() and tasks.origin(which.task) is None:
        raise DataError(f"{which.task} is the name of a task of Paretune's")
    declared = Own.model_validate(own)
    try:
        files = tuple((name, ()) for name in declared.further or {})
        return declared.task(which.task, FileSource(files, sha256=declared.sha256))
    except TaskError as error:
        raise DataError(str(error)) from None


def _check_own(told: TaskInfo, task: TaskSpec, found: Findings) -> None:
    """Data of one's own are told as such, and are those that the spec means."""
    if told.origin != ORIGIN:
        found.faults.append(f"$.task.origin is {told.origin!a:.80}, expected {ORIGIN!r} beside $.spec.own")
    expected = task.source.sha256 if isinstance(task.source, FileSource) else None
    if told.data_sha256 != expected:
        found.faults.append(f"$.task.data_sha256 is {told.data_sha256!a:.80}, but $.spec.own has {expected}")


def _check_further(record: Record, task: TaskSpec, found: Findings) -> None:
    """Further report splits are declared; those of one's own data are all there, as the spec means them."""
    told = record.further_reports
    for name in told.keys() - set(task.further_reports):
        found.faults.append(f"{step('$.further_reports', name)} is no report split of {task.name}")
    own = record.spec.get("own")
    meant = (Own.model_validate(own).further or {}) if own is not None and record.scores else {}
    for name, expected in {} if is_search(record) else meant.items():
        path, said = step("$.further_reports", name), told.get(name)
        if said is None:
            found.faults.append(f"{path} is missing, and $.spec.own declares it")
        elif said.data_sha256 != expected:
            told_hash = f"{path}.data_sha256 is {said.data_sha256!a:.80}"
            found.faults.append(f"{told_hash}, but $.spec.own has {expected}")


def _declared(task: TaskInfo) -> dict[str, tuple[bool, str]]:
    return {metric.name: (metric.higher_is_better, metric.unit) for metric in task.metrics}


def _check_counts(which: Identity, record: Record, found: Findings) -> None:
    """The counts are those of the closed form on that architecture: on shapes, nothing is allocated."""
    said = record.parameters
    if said is None:
        return
    if which.model != EMBEDDED and which.model not in architectures():
        found.skipped.append(
            f"$.parameters: the architecture of {which.model!a:.80} is not known offline, "
            "so the counts could not be checked"
        )
        return
    if which.method not in methods.names():
        found.skipped.append(f"$.parameters: this version of Paretune has no method {which.method!a:.80}")
        return
    if record.method_origin is not None and methods.origin(which.method) is None:
        found.faults.append(
            f"$.method_origin is {record.method_origin!a:.80}, but {which.method} is one of Paretune's: "
            "expected null"
        )
        return
    labels: int | None = None
    tagged = False
    with suppress(TaskError, DataError, ValidationError):
        declared = _declaration(which, record)
        labels, tagged = declared.num_labels, declared.is_tagged
    try:
        options = methods.get(which.method).options.parse(which.method, which.options)
        expected = _expected(which.model, which.method, options, labels, tagged)
    except (MethodError, ModelError) as error:
        part = "model" if isinstance(error, ModelError) else "options"
        found.faults.append(f"$.spec.{part}: {error}".removesuffix("."))
        return
    except RuntimeError:  # torch's, of a shape with more entries than it can number
        found.faults.append("$.spec.options: no tensor can be as large as they ask for")
        return
    for name, size in expected.counts.items():
        if (told := getattr(said, name)) != size:
            found.faults.append(
                f"$.parameters.{name} is {told}, but the closed form of {which.method} on {which.model} "
                f"is {size}"
            )
    for name in sorted(said.parts.keys() | expected.parts.keys()):
        if said.parts.get(name) != expected.parts.get(name):
            found.faults.append(
                f"{step('$.parameters.parts', name)} is {_size(said.parts.get(name))}, "
                f"but the closed form says {_size(expected.parts.get(name))}"
            )


def _size(size: int | None) -> str:
    return "missing" if size is None else str(size)


@dataclass(frozen=True)
class _Expected:
    """What a record's parameters must be."""

    counts: dict[str, int]
    parts: dict[str, int]


@cache
def _expected(model: str, method: str, options: Options, labels: int | None, tagged: bool) -> _Expected:
    """The counts of a method in a model that is known by name; without ``labels`` its head is not told of."""
    from methods import Adapted
    from runners import models

    skeleton = models.skeleton(model) if labels is None else models.skeleton(model, labels, tagged=tagged)
    adapted = Adapted(skeleton, methods.get(method), options)
    live = adapted.parameter_counts()
    told = ("base", "method") if labels is None else ("base", "method", "head")
    counts = {name: live[name] for name in told} | {"stored": adapted.stored_count()}
    return _Expected(counts, adapted.parts())
