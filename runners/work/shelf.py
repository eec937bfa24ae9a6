"""The folder of a study's records: read with patience, written so that nothing is ever lost.

A broken or foreign file is named and stops nothing but its own trial. A record that cannot be written is
printed, kept in memory, and tried again whenever there is another one, and at the end.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from filelock import BaseFileLock, FileLock, Timeout

from reports.errors import RecordError
from reports.records.files import find
from reports.records.identity import spec_hash, trial_key
from reports.records.schema import Record
from reports.records.store import read_record, write_record
from runners import device, processes
from runners.errors import UnwrittenError
from runners.plan.errors import SpecError
from runners.plan.parts import Part
from runners.plan.spec import TrialSpec

RECORD_BYTES = 64_000
"""Room that a record is taken to need; most have some 20 kB."""

_LOCK: Final = ".lock"
_PART_LOCK: Final = ".lock-part-"
_PATIENCE: Final = 5.0
"""Seconds to wait for a run that begins: it looks at the other locks, and through the folder."""

_OWN = re.compile(r"--([0-9a-f]{12})(?:--tuned)?(?:\.search)?\.json$")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Faulty:
    """A file of the folder that is no record."""

    path: Path
    why: str

    @property
    def told(self) -> str:
        """What it is and what to do."""
        return f"{self.why.rstrip('.')}: it is left alone; move it out of the folder to have its trial run."


@dataclass
class Found:
    """What a folder has: records that can be used, and files that cannot."""

    records: list[Record] = field(default_factory=list)
    faulty: list[Faulty] = field(default_factory=list)

    def blocks(self, spec: TrialSpec) -> bool:
        """Whether a faulty file stands where the record of this trial belongs."""
        owners = (_OWN.search(one.path.name) for one in self.faulty)
        return any(own and spec.trial_id.startswith(own[1]) for own in owners)


def read(folder: Path, *, searches: bool = False) -> Found:
    """The records in a folder itself, of trials or of searches; nothing in it raises."""
    found = Found()
    if not folder.is_dir():
        return found
    files = find([*sorted(folder.glob("*.json"))])
    found.faulty += [Faulty(path, f"{path}: {reason}") for path, reason in files.refused.items()]
    seen: dict[object, Path] = {}
    for path in files.searches if searches else files.trials:
        try:
            record = read_record(path)
        except RecordError as error:
            found.faulty.append(Faulty(path, str(error)))
            continue
        if record.trial_id != spec_hash(record.spec):
            found.faulty.append(Faulty(path, f"{path}: its trial_id is not the hash of its spec"))
            continue
        key = trial_key(record)
        if key in seen:
            found.faulty.append(Faulty(path, f"{path}: it repeats the trial of {seen[key].name}"))
            continue
        seen[key] = path
        found.records.append(record)
    return found


@dataclass
class Shelf:
    """Where the records of a run are put. Only the first process writes.

    Args:
        folder: of the records; made if absent.
        say: shows one line to the user.
    """

    folder: Path
    say: Say
    unwritten: dict[object, Record] = field(default_factory=dict)

    def put(self, record: Record) -> bool:
        """Write a record, and with it those that could not be before; return whether it is written."""
        if not device.is_first_process():
            return True
        self.unwritten[trial_key(record)] = record
        for key, one in list(self.unwritten.items()):
            try:
                write_record(one, self.folder)
            except OSError as error:
                if one is record:
                    self.say(
                        f"The record of {record.spec.get('task')} / {record.spec.get('method')} could not be "
                        f"written to {self.folder} ({error.strerror}): it is tried again, and here it is."
                    )
                    self.say(record.model_dump_json())
            else:
                del self.unwritten[key]
        return trial_key(record) not in self.unwritten

    def settle(self) -> None:
        """Try once more what is not written.

        Raises:
            UnwrittenError: it still cannot be.
        """
        for record in list(self.unwritten.values()):
            self.put(record)
        if self.unwritten:
            raise UnwrittenError(
                f"{len(self.unwritten)} of the records could not be written to {self.folder}: they were "
                "printed above, each as a line of JSON; save them, or make room and run again."
            )


def check_room(folder: Path, trials: int) -> None:
    """Find out before the first trial whether the first process can write records to a folder, by writing.

    Raises:
        SpecError: it cannot: no folder, no permission, no room; one sentence. On other processes a PeerError.
    """
    processes.by_first(lambda: _check_room(folder, trials))


def _check_room(folder: Path, trials: int) -> None:
    probe = folder / f".probe.{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("xb") as stream:
                left = RECORD_BYTES * max(1, trials)
                while left > 0:
                    left -= stream.write(b"\0" * min(left, 1 << 20))
                stream.flush()
                os.fsync(stream.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        needed = f"about {RECORD_BYTES * max(1, trials) / 1000:,.0f} kB for {trials} records"
        expected = needed if full else "a folder that can be written to"
        raise SpecError(
            f"records cannot be written to {folder} ({error.strerror}), expected {expected}: "
            "choose another --out."
        ) from None


@contextmanager
def sole_owner(folder: Path, trials: int = 1, part: Part | None = None) -> Iterator[None]:
    """Hold the folder of a study, which has room for so many records: two runs would do its trials twice.

    A run of a part holds that part, beside runs of other parts of as many; not beside a run of the whole, or
    of a part of another number. A lock is the operating system's and ends with the process, however it ends.
    The first of several processes holds it for all.

    Args:
        folder: of the records; made if absent.
        trials: how many records will come.
        part: what is run of the study; None for the whole.

    Raises:
        SpecError: another run holds it, or records cannot be written to it. On other processes a PeerError.
    """
    name = _LOCK if part is None else f"{_PART_LOCK}{part.index}-of-{part.count}"
    lock = FileLock(folder / name)
    processes.by_first(lambda: _acquire(lock, folder, part))
    try:
        check_room(folder, trials)
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, folder: Path, part: Part | None) -> None:
    """Hold a lock, unless what it excludes is held; nobody else begins in the folder meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _beginning(lock, folder, part):
            others = _parts_at_work(folder, lock)
            for other in others:
                if part is None or not other.endswith(f"-of-{part.count}"):
                    told = other.removeprefix(_PART_LOCK).replace("-of-", "/")
                    raise SpecError(
                        f"a run of part {told} is at work in {folder}: wait for it, or choose another --out."
                    )
            if not others:  # else one of them may be writing
                for left in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")):  # of a killed process
                    shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    except Timeout:
        which = "another run" if part is None else f"another run, of the whole or of part {part},"
        raise SpecError(f"{which} is at work in {folder}: wait for it, or choose another --out.") from None
    except OSError as error:
        raise SpecError(
            f"records cannot be written to {folder} ({error.strerror}): choose another --out."
        ) from None


@contextmanager
def _beginning(lock: BaseFileLock, folder: Path, part: Part | None) -> Iterator[None]:
    """Take a lock, and let it go if what is done inside fails. A part holds that of the whole meanwhile.

    Raises:
        Timeout: it is held, or a part finds the whole held for longer than another part would.
    """
    with FileLock(folder / _LOCK, timeout=_PATIENCE) if part is not None else nullcontext():
        patient = part is None and any(folder.glob(f"{_PART_LOCK}*"))  # one of which may just begin
        lock.acquire(timeout=_PATIENCE if patient else 0)
        try:
            yield
        except BaseException:
            lock.release()
            raise


def _parts_at_work(folder: Path, own: BaseFileLock) -> list[str]:
    """The names of the locks of parts that are held, but one's own."""
    held = []
    for path in sorted(folder.glob(f"{_PART_LOCK}*")):
        if path == Path(own.lock_file):
            continue
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            held.append(path.name)
    return held


def warn_of(faulty: Sequence[Faulty], say: Say) -> None:
    """Name what is no record and what to do with it."""
    for one in faulty:
        say(one.told)
