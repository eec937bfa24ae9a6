"""Trials run on a cluster, by Ray: each is a task with its share of a node, and its record comes back here.

A task whose node or process dies is done again by Ray, which gives back one result a task, so that no trial
is there twice. What goes wrong inside of a trial is in its record, and is not tried again. Training goes
first, side by side; costs are jobs of their own, each with a whole node for itself.
"""

from __future__ import annotations

import heapq
import math
import pickle
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final, Self

import ray
from ray.exceptions import OutOfMemoryError, RayError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from reports.records.schema import Record
from runners import models
from runners.cluster import builds, folders, node, nodes, travel
from runners.cluster.inbox import Heard, Inbox
from runners.cluster.mailbox import Mailbox
from runners.cluster.node import Parcel, Returned
from runners.cluster.nodes import Node
from runners.plan.errors import SpecError
from runners.trials import batches, beside, forgetting
from runners.trials.jobs import Job, Listener, undone
from runners.trials.trial import run_trial

RETRIES: Final = 3
"""How often a trial is done again whose node or process died; Ray's own number."""

AHEAD: Final = 2
"""Jobs that wait at Ray, beyond those that run, so that no node idles between two."""

POLL_S: Final = 0.25
"""Between two looks into the mailbox."""

LOOK_S: Final = 5.0
"""Between two looks at which nodes there are."""

GRACE_S: Final = 10.0
"""For tasks to put their folders in order when a run is stopped."""

SWEEP_S: Final = 30.0
"""For nodes to remove what tasks left that did not: a process may have to be started for it."""


class Ray:
    """Does jobs on a cluster, or on this machine as if it were one.

    Args:
        address: of a cluster, as `ray.init` takes it; None starts Ray here, on all cores, for this run.
        cpus: of a trial; parts of one are allowed. A trial computes with as many threads, at least one.
        gpus: of a trial; parts of one are allowed. None: one if any node has one.
        run: turns a spec into a record.

    Raises:
        SpecError: there is no such cluster, no node has room for a trial, or one runs something else.
    """

    alone: Final = False

    def __init__(
        self,
        address: str | None = None,
        cpus: float = 1.0,
        gpus: float | None = None,
        run: Callable[..., Record] = run_trial,
    ) -> None:
        self._run, self._cpus = run, cpus
        self._threads = max(1, math.floor(cpus))
        self._waiting: list[tuple[int, int, Job, Listener]] = []
        self._tasks: dict[ray.ObjectRef, int] = {}
        self._done: deque[tuple[Job, Record]] = deque()
        self._number = count()
        self._known: dict[Hashable, Any] = {}
        self._inbox = Inbox()
        self._mailbox: Any = None
        self._closed = False
        self._heard_at = self._looked_at = -math.inf
        self._own = not ray.is_initialized()
        self._travels = address is not None or not self._own
        if self._own:
            nodes.connect(address)
        try:
            self._nodes = nodes.alive()
            self._gpus = float(any(one.gpus for one in self._nodes)) if gpus is None else gpus
            nodes.check_room(self._nodes, cpus, self._gpus)
            # Where GPUs are used a process ends with its task: their memory is free then, and not before. To
            # give `num_gpus` to `options` alone would keep it.
            resources = {"num_cpus": cpus, "num_gpus": self._gpus, "max_calls": 1 if self._gpus else 0}
            again = {"max_retries": RETRIES, "retry_exceptions": False}
            self._task = ray.remote(**resources, **again)(node.on_node)  # type: ignore[call-overload]
            # Where the study is: letters are lost with no node but that of their reader.
            (own,) = (one for one in self._nodes if one.is_of_study)
            there = NodeAffinitySchedulingStrategy(own.id, soft=False)
            mailbox = ray.remote(num_cpus=0, max_restarts=-1)(Mailbox)
            self._mailbox = mailbox.options(scheduling_strategy=there).remote()
            self._described = nodes.described(self._nodes, self._threads, bool(self._gpus))
        except BaseException:
            self.close()
            raise

    @property
    def lanes(self) -> int:
        """How many trials there is room for at once."""
        return sum(one.slots(self._cpus, self._gpus) for one in self._nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def submit(self, job: Job, listener: Listener) -> None:
        """Take a job."""
        heapq.heappush(self._waiting, (job.order, next(self._number), job, listener))
        with _interruptible():
            self._start()

    def next(self) -> tuple[Job, Record]:
        """Wait for the next job that is done.

        Raises:
            SpecError: a node that joined runs something else than this process, or lacks what a trial needs.
        """
        while True:
            with _interruptible():
                self._start()
                if self._done:
                    return self._done.popleft()
                ready, _ = ray.wait([*self._tasks], timeout=POLL_S)
                if time.monotonic() - self._heard_at >= POLL_S:
                    self._hear()
                for task in ready:
                    self._take(task)

    def close(self) -> None:
        """Stop what runs and leave the cluster, which ends if it was started for this run."""
        if self._closed:
            return
        self._closed, end = True, time.monotonic() + GRACE_S
        with suppress(RayError):
            for task in self._tasks:
                ray.cancel(task, force=False)
            # Ray calls a task done as soon as it is told to stop, when it has yet to put things in order.
            while self._tasks and time.monotonic() < end and self._ask(self._mailbox.busy.remote()):
                time.sleep(POLL_S / 10)
            for task in self._tasks:
                ray.cancel(task, force=True)
            self._sweep()
            if self._mailbox is not None:
                ray.kill(self._mailbox)
        if self._own:
            ray.shutdown()

    def _sweep(self) -> None:
        """Have every node remove what processes left there that died, or did not heed that they were stopped.

        Python drops the interrupt that is to stop a task where it comes in a callback or in `__del__`.
        """
        if self._mailbox is None or not (standing := self._ask(self._mailbox.standing.remote())):
            return
        swept = ray.remote(num_cpus=0)(folders.sweep)
        where = (NodeAffinitySchedulingStrategy(one.id, soft=False) for one in nodes.alive())
        told = [swept.options(scheduling_strategy=place).remote(standing) for place in where]
        ray.wait(told, num_returns=len(told), timeout=SWEEP_S)

    def _start(self) -> None:
        """Hand Ray as many jobs as there is room for, and some more."""
        if time.monotonic() - self._looked_at >= LOOK_S:
            self._nodes, self._looked_at = nodes.alive(), time.monotonic()
        while self._waiting and len(self._tasks) < self.lanes + AHEAD:
            _, number, job, listener = heapq.heappop(self._waiting)
            self._inbox.expect(number, job, listener)
            if job.record is None:
                task = self._task.options(scheduling_strategy="SPREAD").remote(self._parcel(number, job))
            else:
                quiet = self._quiet(job.record)
                if quiet is None:
                    self._finish(number, undone(job, "no node like the one that trained it is alive"))
                    continue
                task = self._task.options(
                    num_cpus=quiet.cpus,
                    num_gpus=quiet.gpus if self._gpus else 0,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(quiet.id, soft=False),
                ).remote(self._parcel(number, job))
            self._tasks[task] = number

    def _parcel(self, number: int, job: Job) -> Parcel:
        spec, store = job.spec, ray.put if self._travels else (lambda contents: None)
        data = spec.declared, spec.data
        return Parcel(
            number=number,
            job=job,
            build=builds.build(),
            revision=self._once(("revision", spec.model), lambda: models.revision(spec.model)),
            data_sha256=self._once(("sha256", *data), lambda: batches.load(*data).sha256),
            called=self._once(("called", spec.model), lambda: models.location(spec.model)),
            model=self._once(("model", spec.model), lambda: travel.of_model(spec, store)),
            data=self._once(("data", *data), lambda: travel.of_data(spec, store)),
            text=self._once(("text", forgetting.source(spec)), lambda: travel.of_text(spec, store)),
            beside=beside.contents(job.folder, beside.files(job.folder, spec)) if job.folder else {},
            threads=self._threads,
            devices=bool(self._gpus),
            mailbox=self._mailbox,
            run=self._run,
        )

    def _once(self, what: Hashable, find: Callable[[], Any]) -> Any:
        """What is found out, or stored, once."""
        if what not in self._known:
            self._known[what] = find()
        return self._known[what]

    def _quiet(self, record: Record) -> Node | None:
        """Where costs are measured: a node like that which trained the trial, for all trials the same."""
        self._nodes = nodes.alive()
        new = [one for one in self._nodes if one.id not in self._described]
        self._described |= nodes.described(new, self._threads, bool(self._gpus))
        alike = [
            one
            for one in self._nodes
            if one.slots(self._cpus, self._gpus)
            and nodes.alike(self._described.get(one.id), record.environment)
        ]
        return max(alike, key=lambda one: (one.gpus, one.cpus, not one.is_of_study, one.id), default=None)

    def _ask(self, answer: ray.ObjectRef) -> Any:
        return ray.get(answer, timeout=folders.PATIENCE_S)

    def _hear(self) -> None:
        """Read the letters that have come."""
        with suppress(RayError):  # the mailbox's process died and is started again
            for letter in self._ask(self._mailbox.taken.remote()):
                self._inbox.read(pickle.loads(letter))
        self._heard_at = time.monotonic()

    def _take(self, task: ray.ObjectRef) -> None:
        """Take what became of a task."""
        number = self._tasks.pop(task)
        heard = self._inbox.job(number)
        try:
            returned: Returned = ray.get(task)
        except TaskUnschedulableError:  # the node that was to measure costs is gone
            heapq.heappush(self._waiting, (heard.job.order, number, heard.job, heard.listener))
            return
        except RayError as error:
            self._finish(number, _lost(heard, error))
            return
        if returned.record is None:
            raise SpecError(
                f"{returned.refused}: install the same version of Paretune, with the same constraints.txt, "
                "on every node."
            )
        for line in returned.said:
            heard.listener.say(line)
        record = returned.record
        if heard.job.record is None:
            there = next((one for one in self._nodes if one.id == returned.node), None)
            slots = there.slots(self._cpus, self._gpus) if there else None
            where = record.environment.model_copy(update={"side_by_side": slots})
            record = record.model_copy(update={"environment": where})
        self._finish(number, _laid_down(heard, record, returned), returned.attempt)

    def _finish(self, number: int, record: Record, attempt: str | None = None) -> None:
        heard = self._inbox.close(number, attempt)
        self._done.append((heard.job, record))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let what a signal raises while Ray waits be itself: Ray makes a `SystemError` of it."""
    try:
        yield
    except SystemError as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


def _laid_down(heard: Heard, record: Record, returned: Returned) -> Record:
    """The record, once what came with it lies beside the records of the study."""
    folder = heard.job.folder
    if folder is None:
        return record
    try:
        beside.replace(folder, heard.job.spec, returned.beside)
    except OSError as error:
        heard.listener.say(f"What belongs to a trial could not be kept in {folder} ({error.strerror}).")
        return record.model_copy(update={"checkpoint_sha256": None})
    return record


def _lost(heard: Heard, error: RayError) -> Record:
    """The record of a job of which Ray gives no result."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    why = f"its process or its node died, and so did those that did it again ({first})"
    record = undone(heard.job, why, heard.scored)
    if heard.job.record is not None or heard.scored is not None:
        return record
    status = "out_of_memory" if isinstance(error, OutOfMemoryError) else "failed"
    return record.model_copy(
        update={"status": status, "environment": heard.environment or record.environment}
    )
