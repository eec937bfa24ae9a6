"""What a node of a cluster does with a job: the task that Ray runs there.

Nothing is read from and nothing is written to a disk that it shares with the study. It works in Ray's own
folder of the session, and gives back the record and what lies beside it.
"""

from __future__ import annotations

import os
import pickle
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import ray
import torch
from ray.exceptions import RayError

from methods import Checkpoint
from reports.records.atomic import write_atomically
from reports.records.schema import Environment, Record
from runners import device, environment, models
from runners.cluster import builds, folders, travel
from runners.cluster.builds import Build
from runners.cluster.folders import PATIENCE_S
from runners.cluster.travel import Freight
from runners.plan.spec import TrialSpec
from runners.trials import batches, beside, forgetting, kept
from runners.trials.beside import Contents
from runners.trials.jobs import Job, do
from runners.trials.loop import Progress
from runners.trials.trial import snapshot_file

SECONDS_BETWEEN: Final = 0.5
"""Two letters on the progress of a training."""

NO_DEVICE: Final = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
"""What hides accelerators from a process. Ray does not: a task that asks for none sees all of its node."""


@dataclass(frozen=True)
class Parcel:
    """A job on its way to a node."""

    number: int
    """Of the job, in letters."""
    job: Job
    build: Build
    """What the study runs, and every node must."""
    revision: str
    """The model's, as the study has it."""
    data_sha256: str
    """The data's, as the study has them."""
    called: str
    """The model as a trained method names it."""
    model: Freight | None
    data: Freight | None
    text: Freight | None
    """What forgetting is measured on, where that is a file."""
    beside: Contents
    """What lies beside the records of the job."""
    threads: int
    devices: bool
    """Whether the job may use accelerators."""
    mailbox: Any
    run: Callable[..., Record]


@dataclass(frozen=True)
class Returned:
    """What comes back: a record and what lies beside it, or why this node is not to be used."""

    node: str
    attempt: str | None = None
    """Which attempt it was, as its letters say."""
    record: Record | None = None
    beside: Contents = field(default_factory=dict)
    said: tuple[str, ...] = ()
    """Lines for the user."""
    refused: str | None = None


@dataclass(frozen=True)
class Letter:
    """A word on a job."""

    number: int
    attempt: str
    """Of several, when a node died, only the last is heard."""
    kind: str
    content: Any = None


@dataclass(frozen=True)
class Described:
    """What a node is."""

    build: Build
    environment: Environment
    """As a record of a trial there says it."""


def describe(threads: int, devices: bool) -> Described:
    """What a trial will find here."""
    _prepare(threads, devices)
    return Described(builds.build(), environment.describe(device.accelerator()))


def on_node(parcel: Parcel) -> Returned:
    """Do a job here."""
    _prepare(parcel.threads, parcel.devices)
    name = f"the node {ray.util.get_node_ip_address()}"
    returned = Returned(ray.get_runtime_context().get_node_id())
    if (other := builds.difference(parcel.build, builds.build())) is not None:
        return replace(returned, refused=f"{name} has {other}")
    with folders.of_job(parcel.number, parcel.mailbox) as own:
        job, spec = parcel.job, parcel.job.spec
        here = replace(job, spec=_arrived(parcel, folders.of_session()), folder=own)
        assert here.spec.trial_id == spec.trial_id  # where things lie is no part of a trial
        if (other := _misfit(parcel, here.spec)) is not None:
            return replace(returned, refused=f"{name} {other}")
        beside.write(own, parcel.beside)
        post = _Post(parcel, here)
        record = _named(_done(parcel, here, post), parcel, here.spec, own)
        # Mapped into memory, which outlives the folder.
        left = beside.contents(own, beside.files(own, spec)) if job.folder else {}
        return replace(returned, attempt=post.attempt, record=record, beside=left, said=tuple(post.said))


def _prepare(threads: int, devices: bool) -> None:
    """Let this process be as one that does one trial by itself."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not devices:
        os.environ.update(dict.fromkeys(NO_DEVICE, ""))
    # Not left to OMP_NUM_THREADS: torch reads it once in a process, and Ray leaves a value of the node alone.
    torch.set_num_threads(threads)
    device.settle()


def _arrived(parcel: Parcel, session: Path) -> TrialSpec:
    """The trial with what it reads where it lies here."""
    spec = parcel.job.spec
    found: dict[str, Any] = {
        part: str(travel.arrived(freight, session, ray.get))
        for part, freight in (("model", parcel.model), ("data", parcel.data))
        if freight is not None
    }
    if parcel.text is not None and spec.costs is not None:
        file = travel.arrived(parcel.text, session, ray.get) / parcel.text.names[0]
        found["costs"] = spec.costs.model_copy(update={"forgetting": str(file)})
    return spec.model_copy(update=found)


def _misfit(parcel: Parcel, spec: TrialSpec) -> str | None:
    """Why this node would run another trial, in a few words; None where it would not."""
    try:
        revision, data = models.revision(spec.model), batches.load(spec.declared, spec.data).sha256
    except Exception as error:  # the study has them: what is missing is missing here
        return f"cannot do {parcel.job.spec.label} ({' '.join(str(error).split())})"
    if revision != parcel.revision:
        return f"has the model {parcel.job.spec.model!r} as {revision}, expected {parcel.revision}"
    if data != parcel.data_sha256:
        return f"has other data of {spec.task} ({data[:12]}), expected {parcel.data_sha256[:12]}"
    return None


def _done(parcel: Parcel, job: Job, post: _Post) -> Record:
    if job.folder is not None and job.checkpoint_every is not None:  # an attempt before may have come so far
        with suppress(RayError):
            newer = ray.get(parcel.mailbox.kept.remote(parcel.number), timeout=PATIENCE_S)
            if newer is not None:
                write_atomically(snapshot_file(job.folder, job.spec), newer)
    # How many trials the node has beside this one only the study knows, when it is done.
    return do(job, post, parcel.run, costs=False, side_by_side=None)


class _Post:
    """A listener that writes letters; lines for the user it keeps, so that they come back with the record."""

    def __init__(self, parcel: Parcel, job: Job) -> None:
        self._parcel, self._job, self.attempt = parcel, job, uuid.uuid4().hex
        self.said: list[str] = []
        self._next = 0.0
        self._seen = 0

    def started(self) -> None:
        self._write("started", environment.describe(device.accelerator()))

    def progress(self, progress: Progress) -> None:
        if self._job.folder is not None and self._job.checkpoint_every is not None:
            self._send_snapshot(snapshot_file(self._job.folder, self._job.spec))
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN
            self._write("progress", progress)

    def scored(self, record: Record) -> None:
        if record.checkpoint_sha256 is None:  # a kept method comes with the record that names it
            self._write("scored", _named(record, self._parcel, self._job.spec, None))

    def say(self, line: str) -> None:
        self.said.append(line)

    def _send_snapshot(self, file: Path) -> None:
        with suppress(OSError):
            changed = file.stat().st_mtime_ns
            if changed != self._seen:
                self._seen, content = changed, file.read_bytes()
                self._parcel.mailbox.keep.remote(self._parcel.number, content)
                self._write("snapshot", content)

    def _write(self, kind: str, content: Any) -> None:
        letter = Letter(self._parcel.number, self.attempt, kind, content)
        self._parcel.mailbox.put.remote(pickle.dumps(letter))


def _named(record: Record, parcel: Parcel, spec: TrialSpec, folder: Path | None) -> Record:
    """The record, and what lies beside it, as if model and data lay where the study has them.

    Args:
        record: as this node made it.
        parcel: the job as it came.
        spec: the trial as it was done.
        folder: what lies beside the record.
    """
    asked = parcel.job.spec
    moved = {spec.model: parcel.called, **({spec.data: str(asked.data)} if spec.data else {})}
    text = forgetting.source(spec)
    moved |= {text: forgetting.source(asked)} if text else {}
    if spec == asked:
        return record

    def told(text: str) -> str:
        for here, there in moved.items():
            text = text.replace(here, there)
        return text

    update: dict[str, Any] = {
        "spec": {**record.spec, "model": asked.model},
        "model": record.model and record.model.model_copy(update={"name": asked.model}),
        "message": record.message and told(record.message),
        "gaps": {part: told(why) for part, why in record.gaps.items()},
    }
    if folder is not None:
        _rename_model(folder, spec, parcel.called)
        if record.checkpoint_sha256 is not None and (saved := kept.find(folder, spec)) is not None:
            update["checkpoint_sha256"] = kept.content_hash(saved)
    return record.model_copy(update=update)


def _rename_model(folder: Path, spec: TrialSpec, called: str) -> None:
    """Let the trained methods name the model as the study does."""
    for place in filter(Checkpoint.lies_in, beside.places(folder, spec)):
        saved = Checkpoint.read(place)
        if saved.model.get("name") == models.location(spec.model):
            replace(saved, model={**saved.model, "name": called}).write(place)
