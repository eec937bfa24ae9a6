"""Running the studies that put a claim to the test, and judging the claims by the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from methods import MethodError
from reports.claims import Judgement, Unmeasured, judge
from reports.records.identity import CLAIM
from reports.records.latency_files import read_latencies
from reports.records.latency_schema import LatencyRecord
from reports.records.origins import UNKNOWN, Measured, Origin, Origins, origin_of, trusted
from reports.records.schema import Record
from reports.records.serving_files import read_servings
from reports.records.serving_schema import ServingRecord
from reports.records.store import read_records
from runners.measure.serving.cost import Watch
from runners.plan import study
from runners.plan.about import Hours
from runners.plan.claims import ClaimStudy, names, read_claim
from runners.plan.errors import SpecError
from runners.plan.latency_study import LatencyStudy
from runners.plan.serving_study import ServingStudy
from runners.plan.spec import RULES, TrialSpec
from runners.trials.jobs import Executor
from runners.work import checking, execute, latency_study, serving_study, shelf
from runners.work.execute import Observer
from tasks import TaskError


def run(
    item: ClaimStudy,
    folder: Path,
    *,
    say: Callable[[str], None],
    observers: list[Observer] | None = None,
    executor: Executor | None = None,
    retry: bool = False,
) -> list[Record]:
    """Do what has no record yet, as ``execute.run_study`` and ``latency_study.run`` do.

    Args:
        item: the claim and its study.
        folder: where records are.
        say: shows one line to the user.
        observers: are told what happens.
        executor: where trials are run; None for here, where latency is measured in any case.
        retry: run again what failed or ran out of memory.

    Returns:
        The records of its trials; none of a study of latency or serving.

    Raises:
        DataError, ModelError: the data or the model is not here; one sentence.
        SpecError: another run is at work in the folder.
    """
    if isinstance(item.study, LatencyStudy):
        with shelf.sole_owner(folder, len(item.study.cells)):
            latency_study.run(item.study, folder, say=say)
        return []
    if isinstance(item.study, ServingStudy):
        with shelf.sole_owner(folder, len(item.study.choices)):
            serving_study.run(item.study, folder, watch=Watch(left_out=say))
        return []
    checking.check(item.study)
    with shelf.sole_owner(folder, len(execute.missing(item.study, folder))):
        how = execute.How(say=say)
        return execute.run_study(item.study, folder, observers or [], retry=retry, how=how, executor=executor)


def judged(item: ClaimStudy, folder: Path) -> Judgement:
    """The verdict by the records in a folder; those of other trials, or of an older file, do not count."""
    if not folder.is_dir():
        return _judge(item)
    if isinstance(item.study, LatencyStudy):
        return _judge(item, latencies=read_latencies(folder))
    if isinstance(item.study, ServingStudy):
        return _judge(item, servings=read_servings(folder))
    return _judge(item, read_records(folder))


class Sorted(NamedTuple):
    """Verdicts, and the records that no claim took."""

    judgements: list[Judgement]
    records: list[Record]
    latencies: list[LatencyRecord]
    servings: list[ServingRecord]


def sort_out(
    records: Sequence[Record],
    latencies: Sequence[LatencyRecord],
    origins: Origins,
    servings: Sequence[ServingRecord] = (),
) -> Sorted:
    """Part the records of the built-in claims' studies from those of a comparison.

    Where the maintainers measured a claim, their records alone decide it: a submission turns no verdict. One
    that they have not measured is decided by those of one submitter, who is named with the verdict.

    Returns:
        the verdict on every claim that has records, and the other records.
    """
    judgements = []
    for name in names():
        item = read_claim(name)
        there = [r for r in records if r.study == item.study.name]
        clocked = [r for r in latencies if r.study == item.study.name]
        served = [r for r in servings if r.study == item.study.name]
        who = _decides([*there, *clocked, *served], origins)
        trials = [record for record in there if origin_of(record, origins) in who]
        timed = [record for record in clocked if origin_of(record, origins) in who]
        served = [record for record in served if origin_of(record, origins) in who]
        if not trials and not timed and not served:
            continue
        judgement = replace(_judge(item, trials, timed, served), whose=_told(who))
        taken = {id(record) for record in (*judgement.records, *judgement.latencies, *judgement.servings)}
        records = [record for record in records if id(record) not in taken]
        latencies = [record for record in latencies if id(record) not in taken]
        servings = [record for record in servings if id(record) not in taken]
        judgements.append(judgement)
    return Sorted(judgements, list(records), list(latencies), list(servings))


def unmeasured(judgements: Sequence[Judgement]) -> list[Unmeasured]:
    """The built-in claims without a verdict, and what one would take."""
    known = {judgement.name for judgement in judgements}
    found = []
    for name in names():
        if name not in known:
            told = study.content(CLAIM + name).get("hours")
            hours = Hours.model_validate(told).value if told else None
            found.append(Unmeasured(name, read_claim(name).claim, hours))
    return found


def _decides(found: Sequence[Measured], origins: Origins) -> set[Origin]:
    """Whose records decide: the maintainers', or whoever has most, the first of equals."""
    counts = Counter(origin_of(record, origins) for record in found)
    ours = {who for who in counts if trusted(who)}
    return ours or {who for who, _ in counts.most_common(1)}


def _told(who: set[Origin]) -> str:
    """Who that is, where it is neither the maintainers nor, among one's own results, oneself."""
    return "; ".join(origin.told for origin in who if not trusted(origin) and origin != UNKNOWN)


def _judge(
    item: ClaimStudy,
    records: Sequence[Record] = (),
    latencies: Sequence[LatencyRecord] = (),
    servings: Sequence[ServingRecord] = (),
) -> Judgement:
    if isinstance(item.study, LatencyStudy):
        return judge(item.name, item.claim, latencies=latencies)
    if isinstance(item.study, ServingStudy):
        return judge(item.name, item.claim, servings=servings)
    # By one version of the rules of training: the latest that anything was measured by.
    for rules in range(RULES, 0, -1):
        wanted = {TrialSpec(**dict(spec) | {"rules": rules}).trial_id for spec in item.study.specs}
        if found := [record for record in records if _key(record) in wanted]:
            return judge(item.name, item.claim, found)
    return judge(item.name, item.claim, [])


def _key(record: Record) -> str | None:
    """A record's trial, or None for one that could not be asked for today."""
    try:
        return TrialSpec(**{"rules": 1} | record.spec).trial_id
    except (MethodError, TaskError, SpecError):
        return None
