"""Trials on a real cluster of two nodes on this machine, one of which is killed in mid-study."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from reports import read_records
from reports.records.schema import Record
from runners import device, environment
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import parse_study
from runners.trials import kept
from runners.trials.jobs import Job
from runners.trials.trial import Keeping, run_trial, snapshot_file
from runners.work import execute
from tests.runners.executors.test_local import Quiet
from tests.runners.folders import writer

ray = pytest.importorskip("ray", reason="needs ray: pip install 'paretune[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:ray", "ignore::ResourceWarning")

from ray.cluster_utils import Cluster  # noqa: E402

from runners.cluster import nodes  # noqa: E402
from runners.cluster.inbox import Heard  # noqa: E402
from runners.cluster.nodes import Node  # noqa: E402
from runners.executors import on_ray  # noqa: E402
from runners.executors.on_ray import Ray  # noqa: E402

HELD_AT = 20
"""The step at which trials wait for one another where a node is to be killed."""


@dataclass
class Two:
    """A cluster of two nodes, and who runs trials on it."""

    cluster: Any
    second: Any
    executor: Ray
    session: Path
    """Ray's own folder."""


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "3")  # of the nodes, and of no trial
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            second = cluster.add_node(num_cpus=1)
            handler = signal.getsignal(signal.SIGTERM)
            with Ray(cluster.address) as executor:
                assert signal.getsignal(signal.SIGTERM) == handler  # which Ray would make its own
                told = ray.get_runtime_context()
                session = Path(told.get_temp_dir()) / told.get_session_name()
                yield Two(cluster, second, executor, session)
        finally:
            cluster.shutdown()


@dataclass
class Watcher:
    """An observer that counts, and acts once word has come of two trials that are held in training."""

    then: Any = None
    held: set[str] = field(default_factory=set)
    finishes: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def started(self, spec: TrialSpec) -> None:
        """Says that it was given out, not that a node has begun."""

    def progress(self, spec: TrialSpec, progress: Any) -> None:
        if progress.phase == "training" and progress.step >= HELD_AT:
            self.held.add(spec.trial_id)
        if self.then is not None and len(self.held) == 2:
            then, self.then = self.then, None
            then()

    def finished(self, spec: TrialSpec, record: Record) -> None:
        self.finishes[record.trial_id] += 1


def lose(two: Two) -> None:
    """Kill the second node with all that runs on it, as a machine dies: a worker may outlive its raylet."""
    (raylet, *_) = two.second.all_processes["raylet"]
    workers = psutil.Process(raylet.process.pid).children(recursive=True)
    two.cluster.remove_node(two.second, allow_graceful=False)
    for one in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()


def outcome(record: Record) -> tuple[Any, ...]:
    """What must be the same wherever a trial is run."""
    return (
        *(record.trial_id, record.spec, record.status, record.model, record.task, record.parameters),
        *(record.scores, record.answers, record.curve, record.checkpoint_sha256),
    )


def test_a_study_on_two_nodes_is_the_study_here(
    two: Two, tiny_model: str, glue_folder: str, quick: dict[str, Any], brief: dict[str, Any], tmp_path: Path
) -> None:
    content = {"name": "s", "models": [tiny_model], "tasks": ["cola"], "data": glue_folder, "protocol": quick}
    made = parse_study({**content, "methods": ["ia3"], "seeds": [0, 1], "costs": brief})
    watcher, how = Watcher(), execute.How(checkpoint_every=2, keep_models=True)
    there = execute.run_study(made, tmp_path / "ray", [watcher], how=how, executor=two.executor)
    keeping = Keeping(folder=tmp_path / "here", models=True)
    here = [run_trial(spec, study="s", keeping=keeping) for spec in made.specs]
    assert [outcome(a) for a in there] == [outcome(b) for b in here]
    assert set(watcher.finishes.values()) == {1}
    for spec in made.specs:
        folders = [kept.find(tmp_path / name, spec) for name in ("ray", "here")]
        one_file, other_file = ({p.name: p.read_bytes() for p in f.iterdir()} for f in folders if f)
        assert one_file == other_file
    assert not list((tmp_path / "ray" / ".unfinished").glob("*"))
    assert there[0].latency is not None
    assert there[0].memory is not None
    assert not there[0].gaps
    assert there[1].costs_from == there[0].trial_id
    assert there[0].environment == environment.describe(device.accelerator())  # one thread: that of one CPU
    assert read_records(tmp_path / "ray") == sorted(there, key=lambda r: r.spec["seed"])


def test_model_and_own_data_travel_to_where_they_are_not(
    two: Two, tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    data = shutil.copytree(glue_folder, tmp_path / "data")
    rows = [f"{data}/cola/{split}-00000-of-00001.parquet" for split in ("train", "validation")]
    own = {"name": "mine", "train": rows[0], "report": rows[1], "text": "sentence"}
    given = {"methods": ["head"], "protocol": quick, "costs": "none", "models": [str(model)]}
    specs = parse_study({"name": "s", "tasks": [own], "seeds": [0, 1], **given}).specs
    here = [run_trial(spec, study="s") for spec in specs]
    two.executor.submit(Job(specs[0], "s"), Quiet())
    there = [two.executor.next()[1]]
    for folder in (model, data):
        shutil.rmtree(folder)
    two.executor.submit(Job(specs[1], "s"), Quiet())
    there.append(two.executor.next()[1])
    assert [outcome(a) for a in there] == [outcome(b) for b in here]


def test_the_text_that_forgetting_is_measured_on_travels_too(two: Two, tmp_path: Path) -> None:
    rows = [f"t{20 + row} t{30 + row % 7}" for row in range(30)]
    lines = [json.dumps({"text": row, "target": row[::-1]}) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    general = tmp_path / "text" / "general.txt"
    general.parent.mkdir()
    general.write_text("\n\n".join(rows), encoding="utf-8")
    content = {
        "name": "s",
        "models": [writer(tmp_path / "model", "llama")],
        "tasks": [{"name": "mine", "file": str(tmp_path / "rows.jsonl"), "target": "target"}],
        "methods": ["ln"],
        "seeds": [0, 1],
        "protocol": {"steps": 1, "batch_size": 4, "generation": {"longest": 4}},
        "costs": {"forgetting": str(general)},
    }
    specs = parse_study(content).specs
    here = [run_trial(spec, study="s", costs=False) for spec in specs]
    there = []
    for spec in specs:
        two.executor.submit(Job(spec, "s"), Quiet())
        there.append(two.executor.next()[1])
        shutil.rmtree(general.parent, ignore_errors=True)  # where the second trial runs it is not
    assert [record.forgetting for record in there] == [record.forgetting for record in here]
    assert all(record.forgetting and record.forgetting.text == "general.txt" for record in there)


def test_a_trial_of_a_search_goes_on_where_it_stopped(
    two: Two, tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path
) -> None:
    spec = TrialSpec(
        model=tiny_model,
        task="cola",
        data=glue_folder,
        method="head",
        protocol=quick,
        search=True,
        halving=True,
    )
    records = []
    for until in (3, None):
        two.executor.submit(Job(spec, "s", tmp_path, until=until), Quiet())
        records.append(two.executor.next()[1])
        assert snapshot_file(tmp_path, spec).is_file()
    assert records[0].status == "pruned"
    assert outcome(records[1]) == outcome(run_trial(spec, study="s"))


def test_letters_lie_where_the_study_is(two: Two) -> None:
    """Else they would be lost with another node: that an attempt began, and its snapshots."""
    where = two.executor._mailbox.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())
    assert ray.get(where) == ray.get_runtime_context().get_node_id()


def test_a_node_is_killed_in_mid_study(
    two: Two, tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path
) -> None:
    """With one CPU a node, two trials that are held in training are on both: one dies with its node."""
    go = tmp_path / "go"

    def held(spec: TrialSpec, *, watch: Any, **how: Any) -> Record:
        def tell(progress: Any) -> None:
            watch(progress)
            while progress.phase == "training" and progress.step >= HELD_AT and not go.exists():
                time.sleep(0.1)
                watch(progress)

        return run_trial(spec, watch=tell, **how)

    def kill_and_let_go() -> None:
        lose(two)
        go.touch()

    protocol = {**quick, "steps": 2 * HELD_AT, "evaluate_every": HELD_AT}
    content = {
        "name": "s",
        "models": [tiny_model],
        "tasks": ["cola"],
        "data": glue_folder,
        "protocol": protocol,
    }
    made = parse_study({**content, "methods": ["bitfit"], "seeds": [0, 1], "costs": "none"})
    watcher = Watcher(kill_and_let_go)
    how = execute.How(checkpoint_every=HELD_AT // 2, say=watcher.lines.append)
    with Ray(two.cluster.address, run=held) as executor:
        there = execute.run_study(made, tmp_path / "records", [watcher], how=how, executor=executor)
    assert watcher.then is None
    assert [line for line in watcher.lines if "gone; it is done again" in line]
    assert watcher.finishes == {spec.trial_id: 1 for spec in made.specs}
    assert len(list((tmp_path / "records").glob("*.json"))) == len(made.specs)
    here = [run_trial(spec, study="s") for spec in made.specs]
    assert [outcome(a) for a in there] == [outcome(b) for b in here]


def test_who_does_not_heed_that_it_is_stopped_leaves_nothing_either(
    two: Two, tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    def deaf(spec: TrialSpec, **_: Any) -> Record:
        """Drops interrupts, as Python does where they come in a callback."""
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(0.1)

    jobs = two.session / "paretune"
    before = set(jobs.glob("job-*"))
    with pytest.MonkeyPatch.context() as patch, Ray(two.cluster.address, run=deaf) as executor:
        patch.setattr(on_ray, "GRACE_S", 3.0)
        spec = TrialSpec(model=tiny_model, task="cola", data=glue_folder, method="head", costs=None)
        executor.submit(Job(spec, "s", tmp_path), Quiet())
        deadline = time.monotonic() + 30
        while set(jobs.glob("job-*")) <= before and time.monotonic() < deadline:
            time.sleep(0.1)
        assert set(jobs.glob("job-*")) > before
        executor.close()
    assert set(jobs.glob("job-*")) <= before


def test_what_is_stopped_leaves_nothing(two: Two, tiny_model: str, glue_folder: str, tmp_path: Path) -> None:
    """The last: it ends the executor."""
    protocol = {"steps": 1_000_000, "batch_size": 8}
    spec = TrialSpec(
        model=tiny_model, task="cola", data=glue_folder, method="head", protocol=protocol, costs=None
    )
    jobs = two.session / "paretune"
    before = set(jobs.glob("job-*"))  # of the node that was killed
    two.executor.submit(Job(spec, "s", tmp_path), Quiet())
    deadline = time.monotonic() + 30
    while set(jobs.glob("job-*")) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert set(jobs.glob("job-*")) > before
    two.executor.close()
    assert set(jobs.glob("job-*")) <= before


def test_a_job_that_ray_gives_up_has_a_record(tiny_model: str) -> None:
    job = Job(TrialSpec(model=tiny_model, task="cola", method="head"), "s")
    crashed = on_ray._lost(Heard(job, Quiet()), ray.exceptions.WorkerCrashedError())
    assert crashed.status == "failed"
    assert "its process or its node died" in str(crashed.message)
    memory = on_ray._lost(Heard(job, Quiet()), ray.exceptions.OutOfMemoryError("no room\nfor it"))
    assert memory.status == "out_of_memory"
    assert str(memory.message).endswith("(no room)")


def test_what_a_signal_raises_while_ray_waits_is_itself() -> None:
    class Stopped(BaseException):
        """What a handler of signals raises."""

    with pytest.raises(Stopped), on_ray._interruptible():
        raise SystemError("returned a result with an exception set") from Stopped()
    with pytest.raises(SystemError, match="of another kind"), on_ray._interruptible():
        raise SystemError("of another kind")


@pytest.mark.parametrize(
    ("cpus", "gpus", "slots"),
    [
        (1, 0, 8),
        (0.5, 0, 16),
        (3, 0, 2),
        (1, 1, 2),
        (1, 0.5, 4),
        (1, 0.4, 4),
        (8, 2, 1),
        (9, 0, 0),
        (1, 4, 0),
    ],
)
def test_how_many_trials_a_node_has_room_for(cpus: float, gpus: float, slots: int) -> None:
    node = Node("id", "address", 8.0, 2.0, False)
    assert node.slots(cpus, gpus) == slots
    if slots:
        nodes.check_room([node], cpus, gpus)
    else:
        with pytest.raises(SpecError, match=r"the largest has 8 and 2"):
            nodes.check_room([node], cpus, gpus)


@pytest.mark.parametrize(("cpus", "gpus"), [(0, 0), (-1, 0), (1, -1), (1, 1.5)])
def test_shares_that_there_are_not(cpus: float, gpus: float) -> None:
    with pytest.raises(SpecError, match=r"--[cg]pus-per-trial is"):
        nodes.check_room([Node("id", "address", 8.0, 2.0, False)], cpus, gpus)


def test_no_cluster_is_one_sentence() -> None:
    with pytest.raises(SpecError, match=r"Ray cannot be reached at 'localhost:1'"):
        nodes.connect("localhost:1")
