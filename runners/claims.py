"""Studies that put a claim to the test: they run like any other, and their claim is judged by the records.

A claim's study is a file ``studies/claim-NAME.yaml``, of trials or of latency, with one more key, ``claim``:
what is claimed, by whom, and the rule that decides (:mod:`reports.claims`). Whoever reads the file as an
ordinary study passes over that key, so ``paretune run claim-NAME`` runs it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from methods import MethodError
from methods.errors import nearest
from reports.claims import Claim, Judgement, judge, parse
from reports.identity import CLAIM
from reports.latency import read_latencies
from reports.origins import Origins, origin_of, trusted
from reports.records import read_records
from reports.schema import LatencyRecord, Record
from runners import execute, latency_study, study
from runners.execute import Observer
from runners.latency_study import LatencyStudy
from runners.spec import SpecError, TrialSpec
from runners.study import Study
from tasks import TaskError


@dataclass(frozen=True)
class ClaimStudy:
    """A claim and the study that tests it."""

    name: str
    """Without the prefix; also the name of its folder of records."""
    claim: Claim
    study: Study | LatencyStudy


def names() -> tuple[str, ...]:
    """The claims that come with Paretune, in the order of their numbers."""
    found = [name.removeprefix(CLAIM) for name in study.built_in() if name.startswith(CLAIM)]
    return tuple(sorted(found, key=lambda name: read(name).claim.number))


def read(name: str, data: str | None = None) -> ClaimStudy:
    """Read a claim's study: one of :func:`names`, with or without the prefix, or a file.

    Args:
        name: which.
        data: a data folder that replaces the study's own.

    Raises:
        SpecError, RecordError: no such claim, or a fault in its file; one sentence.
        MethodError, TaskError: an unknown method, option or task.
    """
    path = Path(name)
    if path.is_file():
        content = study.content(name)
    else:
        short = name.removeprefix(CLAIM)
        valid = [known.removeprefix(CLAIM) for known in study.built_in() if known.startswith(CLAIM)]
        if short not in valid:
            hint = nearest(short, valid)
            raise SpecError(f"there is no claim {name!r}: give one of the built-in claims or a file; {hint}.")
        content = study.content(CLAIM + short)
    claim = parse(content.get("claim"), content["name"])
    timed = content.get("kind") == "latency"
    made = latency_study.parse(content) if timed else study.parse(content, data)
    return ClaimStudy(content["name"].removeprefix(CLAIM), claim, made)


def run(
    item: ClaimStudy, folder: Path, *, say: Callable[[str], None], observers: list[Observer] | None = None
) -> None:
    """Do what has no record yet; see :func:`runners.execute.run_study` and :func:`runners.latency_study.run`.

    Raises:
        DataError, ModelError: the data or the model is not here; one sentence.
        SpecError: another run is at work in the folder.
    """
    if isinstance(item.study, LatencyStudy):
        latency_study.run(item.study, folder, say=say)
        return
    execute.check(item.study)
    with execute.sole_owner(folder):
        execute.run_study(item.study, folder, observers or [])


def judged(item: ClaimStudy, folder: Path) -> Judgement:
    """The verdict by the records in a folder; those of other trials, or of an older file, do not count."""
    if not folder.is_dir():
        return _judge(item, [], [])
    if isinstance(item.study, LatencyStudy):
        return _judge(item, [], read_latencies(folder))
    return _judge(item, read_records(folder), [])


def sort_out(
    records: Sequence[Record], latencies: Sequence[LatencyRecord], origins: Origins
) -> tuple[list[Judgement], list[Record], list[LatencyRecord]]:
    """Part the records of the built-in claims' studies from those of a comparison.

    Where the maintainers measured a claim, their records alone decide it: a submission turns no verdict.

    Returns:
        the verdict on every claim that has records, the other trials, the other latency comparisons.
    """
    judgements = []
    for name in names():
        item = read(name)
        trials = _counted([record for record in records if record.study == item.study.name], origins)
        timed = _counted([record for record in latencies if record.study == item.study.name], origins)
        if not trials and not timed:
            continue
        judgement = _judge(item, trials, timed)
        taken = {id(record) for record in (*judgement.records, *judgement.latencies)}
        records = [record for record in records if id(record) not in taken]
        latencies = [record for record in latencies if id(record) not in taken]
        judgements.append(judgement)
    return judgements, list(records), list(latencies)


_Record = TypeVar("_Record", Record, LatencyRecord)


def _counted(found: list[_Record], origins: Origins) -> list[_Record]:
    """The maintainers' own, or all of them where there are none."""
    return [record for record in found if trusted(origin_of(record, origins))] or found


def _judge(item: ClaimStudy, records: Sequence[Record], latencies: Sequence[LatencyRecord]) -> Judgement:
    if isinstance(item.study, LatencyStudy):
        return judge(item.name, item.claim, latencies=latencies)
    wanted = {spec.trial_id for spec in item.study.specs}
    return judge(item.name, item.claim, [record for record in records if _key(record) in wanted])


def _key(record: Record) -> str | None:
    """A record's trial, or None for one that could not be asked for today."""
    try:
        return TrialSpec(**record.spec).trial_id
    except (MethodError, TaskError, SpecError):
        return None
