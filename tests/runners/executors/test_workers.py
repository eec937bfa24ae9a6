"""Workers: the same scores as here, costs alone, and a worker that is ended costs a second try and no study.

What a pool makes of workers that are ended is tried with processes that answer without loading anything.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from reports.records.schema import Record
from runners.executors import workers
from runners.executors.workers import WorkerError, Workers, _Worker, share_of_cores
from runners.plan import study
from runners.plan.spec import TrialSpec
from runners.trials import kept
from runners.trials.jobs import Job
from runners.trials.trial import run_trial
from runners.work import execute, search


class Events:
    """Hears of a job, and keeps it in a list that several share."""

    def __init__(self, name: str, told: list[tuple[str, str]]) -> None:
        self.name, self.told, self.lines = name, told, list[str]()

    def started(self) -> None:
        self.told.append((self.name, "started"))

    def progress(self, progress: Any) -> None:
        self.told.append((self.name, "progress"))

    def scored(self, record: Record) -> None:
        self.told.append((self.name, "scored"))

    def say(self, line: str) -> None:
        self.lines.append(line)


class Seen:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, TrialSpec]] = []

    def started(self, spec: TrialSpec) -> None:
        self.events.append(("started", spec))

    def progress(self, spec: TrialSpec, progress: Any) -> None:
        self.events.append((progress.phase, spec))

    def finished(self, spec: TrialSpec, record: Record) -> None:
        self.events.append(("finished", spec))


def test_the_same_study_has_the_same_scores_and_costs_alone(
    tiny_model: str, glue_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search and what follows it, on data of one's own, in two workers with one thread each and here."""
    parts = {"train": "train", "report": "validation"}
    own = {part: f"{glue_folder}/cola/{split}-00000-of-00001.parquet" for part, split in parts.items()}
    content = {
        "name": "small",
        "models": [tiny_model],
        "tasks": [{"name": "mine", **own, "text": "sentence", "metric": "matthews_correlation"}],
        "protocol": {"steps": 4, "evaluate_every": 2, "batch_size": 8},
        "methods": ["head", {"method": "lora", "costs": {"latency_rounds": 10, "latency_length": 8}}],
        "costs": "none",
        "tuning": {"trials": 2},
    }
    made, temporary = study.parse_study(content), tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    seen = Seen()
    before = psutil.Process().children()
    with Workers(2, threads=1) as pool:
        folder = tmp_path / "workers"
        found = search.run_searches(made, folder, [seen], executor=pool)
        records = execute.run_study(found, folder, [seen], executor=pool)
        processes = [one for one in psutil.Process().children() if one not in before]
        assert len(processes) == 2
        assert len(list(temporary.glob("paretune-worker-*"))) == 2
    assert not any(process.is_running() for process in processes)
    assert list(temporary.iterdir()) == []
    here = search.run_searches(made, tmp_path / "here", [])
    expected = execute.run_study(here, tmp_path / "here", [])

    for record, other in zip(records, expected, strict=True):
        assert record.status == "completed"
        assert record.trial_id == other.trial_id
        assert (record.scores, record.curve, record.answers) == (other.scores, other.curve, other.answers)
        assert record.gaps == other.gaps == {}
        assert record.tuning
        assert other.tuning
        assert record.tuning.history == other.tuning.history
        assert (record.environment.side_by_side, other.environment.side_by_side) == (2, 1)
        assert record.environment.threads == other.environment.threads == 1
    rounding = [r.latency and r.latency.merge_logit_difference for r in (records[1], expected[1])]
    assert rounding[0] == rounding[1] is not None
    assert not kept.waiting(folder, found.specs[1]).exists()  # the method waited for its costs, and no longer

    heard = [what for what, _ in seen.events]
    assert heard.count("started") == heard.count("finished") >= 6  # a search may have one go on from a rung
    assert heard[-1] == "costs"
    assert seen.events[-1][1].method == "lora"


@pytest.fixture(scope="module")
def record(tiny_model: str, glue_folder: str) -> Record:
    spec = TrialSpec(
        model=tiny_model,
        task="cola",
        data=glue_folder,
        method="head",
        protocol={"steps": 2, "evaluate_every": 2, "batch_size": 4},
        costs=None,
    )
    return run_trial(spec)


@pytest.fixture
def job(tiny_model: str, glue_folder: str, record: Record) -> Job:
    return Job(TrialSpec(**record.spec | {"data": glue_folder}), "small")


@pytest.fixture
def answering(record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has a worker note each job that it begins, do some deed with it, and then answer what lies ready."""
    answer, place = tmp_path / "answer", tmp_path / "begun"
    place.mkdir()

    def set_up(deed: str, what: str = "done", value: object = record) -> Path:
        answer.write_bytes(pickle.dumps((what, value)))
        code = f"""
import json, os, pathlib, signal, sys, time, uuid
from multiprocessing.connection import Connection
parent, place = Connection(json.loads(sys.argv[1])[0]), {str(place)!r}
while True:
    parent.recv_bytes()
    parent.send(("started", None))
    begun = len(os.listdir(place))
    (pathlib.Path(place) / uuid.uuid4().hex).touch()
    {deed}
    parent.send_bytes(pathlib.Path({str(answer)!r}).read_bytes())
"""
        monkeypatch.setattr(workers, "_START", code)
        return place

    return set_up


KILL = "os.kill(os.getpid(), signal.SIGKILL)"


def test_a_job_whose_worker_is_killed_is_tried_once_more(answering: Any, job: Job, record: Record) -> None:
    begun = answering(f"begun == 0 and {KILL}")
    told = Events("a", [])
    with Workers(2, threads=1) as pool:
        pool.submit(job, told)
        assert pool.next() == (job, record)
    assert len(list(begun.iterdir())) == 2
    assert told.told == [("a", "started")] * 2
    (line,) = told.lines
    assert "was ended by SIGKILL, as where memory runs out; it is tried once more" in line


def test_killed_twice_a_trial_failed_and_the_others_go_on(answering: Any, job: Job, record: Record) -> None:
    answering(f"begun < 2 and {KILL}")
    with Workers(1, threads=1) as pool:
        for order in (0, 1):
            pool.submit(Job(job.spec, order=order), Events("a", []))
        _, failed = pool.next()
        _, done = pool.next()
    assert failed.status == "failed"
    assert failed.trial_id == record.trial_id
    assert (
        failed.message == "its process was ended by SIGKILL, as where memory runs out, for the second time."
    )
    assert done == record


def test_costs_whose_worker_is_killed_twice_are_gaps(answering: Any, job: Job, record: Record) -> None:
    answering(KILL)
    scored = record.model_copy(update={"gaps": {"latency": "not measured yet"}})
    with Workers(1, threads=1) as pool:
        pool.submit(Job(job.spec, record=scored), Events("a", []))
        _, found = pool.next()
    assert found.status == "completed"
    assert "SIGKILL" in found.gaps["latency"]
    assert found.scores == record.scores


def test_a_worker_that_cannot_begin_says_why(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_START", "raise SystemError('no such thing')")
    with Workers(1, threads=1) as pool:
        pool.submit(job, Events("a", []))
        _, found = pool.next()
    assert found.status == "failed"
    assert found.message
    assert "ended with exit code 1 (SystemError: no such thing), for the second time" in found.message


def test_a_fault_of_the_code_is_an_error_here(answering: Any, job: Job) -> None:
    answering("pass", "raised", "Traceback: at line 3")
    with Workers(1, threads=1) as pool:
        pool.submit(job, Events("a", []))
        with pytest.raises(WorkerError, match="at line 3"):
            pool.next()


def test_jobs_begin_in_order_and_costs_with_nothing_beside_them(
    answering: Any, job: Job, record: Record, tmp_path: Path
) -> None:
    """Two trials side by side, then costs, then two again.

    That two run side by side is told by themselves: each waits until the other has begun. The start of one
    and the end of another come by two pipes, in any order.
    """
    alone = tmp_path / "alone"
    answering(
        f"""ends = time.monotonic() + 30
    while len(os.listdir(place)) < {{0: 2, 1: 2, 2: 0}}.get(begun, 5) and time.monotonic() < ends:
        time.sleep(0.01)
    time.monotonic() < ends or pathlib.Path({str(alone)!r}).touch()"""
    )
    told: list[tuple[str, str]] = []
    with Workers(2, threads=1) as pool:
        for order, name in reversed(list(enumerate(("a", "b", "costs", "c", "d")))):
            costs = record if name == "costs" else None
            pool.submit(Job(job.spec, name, record=costs, order=order), Events(name, told))
        for _ in range(5):
            done, _ = pool.next()
            told.append((done.study, "done"))
    assert {name for name, _ in told[:4]} == {"a", "b"}
    assert told[4:6] == [("costs", "started"), ("costs", "done")]
    assert {name for name, _ in told[6:]} == {"c", "d"}
    assert not alone.exists()


def test_a_worker_whose_parent_is_gone_ends_and_leaves_nothing() -> None:
    worker = _Worker(0, 1)
    folder, process = Path(worker._folder), worker._process
    assert folder.is_dir()
    os.kill(process.pid, signal.SIGINT)  # from the keyboard: none of its business
    worker.connection.close()
    assert process.wait(60) in (128 + signal.SIGTERM, -signal.SIGTERM)
    ends = time.monotonic() + 10
    while folder.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("cores", "told", "number", "threads"),
    [(8, None, 2, 4), (8, None, 3, 2), (2, None, 4, 1), (8, "2", 2, 2), (8, "16", 2, 4), (8, "x", 1, 8)],
)
def test_cores_are_shared(
    cores: int, told: str | None, number: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.environment, "cores", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert share_of_cores(number) == threads


def test_a_worker_has_its_threads_and_its_folder_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = "os.environ['OMP_NUM_THREADS'] + ' ' + tempfile.gettempdir()"
    monkeypatch.setattr(workers, "_START", f"import os, tempfile; open({str(out)!r}, 'w').write({told})")
    worker = _Worker(0, 3)
    worker._process.wait(60)
    assert out.read_text() == f"3 {worker._folder}"
    assert worker.end() == "its process ended with exit code 0"
