"""Kill a study at random moments, again and again, and show that no record is lost, doubled or broken.

    python tests/kills.py [--kills 100] [--seed 0] [--workers 2]

A small study with a search, two seeds, costs, snapshots and kept models runs on the embedded model. A
process that runs it is killed (SIGKILL) after a random part of the time that the study takes, and started
again in the same folder, until it is through; then the next folder begins. After every kill

* each record is valid, and each trial has one file;
* a record that was finished is the same file still, and a score that was known is known.

At the end every folder that is through has the scores, curves and answers of a run that nobody killed, in one
process, and no worker is left. Exit code 0 if all of this held. It takes some minutes, and is no part of the
suite.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch: processes are forked from one that has it loaded

STUDY = """\
name: killed
tasks: [rotten_tomatoes]
methods: [lora]
seeds: [0, 1]
protocol: {steps: 9, evaluate_every: 3, batch_size: 8, train_examples: 128, scored_examples: 32}
costs: {latency_rounds: 10, latency_length: 8}
tuning: {trials: 4, seed: 1000, steps_share: 0.5}
"""
OPTIONS = ("--checkpoint-every", "2", "--keep-models")


def start(study: Path, out: Path, options: list[str]) -> int:
    """Run the study in a process of its own, as the command does; return its number."""
    child = os.fork()
    if child:
        return child
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        sys.argv = ["paretune", "run", str(study), "--out", str(out), *OPTIONS, *options]
        try:
            from runners.cli.app import main

            main()
        except SystemExit as ended:
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        except BaseException:
            os._exit(1)
        os._exit(0)


def files(out: Path) -> dict[str, bytes]:
    """The files that are named like records, those of searches among them."""
    folders = [out, out / "search"]
    return {str(p.relative_to(out)): p.read_bytes() for f in folders for p in sorted(f.glob("*.json"))}


def faults(out: Path, before: dict[str, bytes]) -> list[str]:
    """What is wrong with a folder after a kill."""
    from reports.records.identity import trial_key
    from reports.records.schema import Record
    from reports.records.validate import validate

    now, found = files(out), []
    for one in validate([p for p in (out, out / "search") if p.is_dir()]) if now else []:
        found += [f"{one.file}: {fault}" for fault in one.faults]
    records = {name: Record.model_validate_json(content) for name, content in now.items()}
    keys = Counter((trial_key(record), name.startswith("search")) for name, record in records.items())
    found += [f"{key} is there {count} times" for key, count in keys.items() if count > 1]
    for name, content in before.items():
        if name not in now:
            found.append(f"{name} is lost")
            continue
        was = Record.model_validate_json(content)
        if was.status == "pruned":  # it may have gone on, and has what it had
            if records[name].curve[: len(was.curve)] != was.curve:
                found.append(f"{name} has another beginning")
            continue
        if not was.gaps and content != now[name]:
            found.append(f"{name} was finished and has changed")
        if (was.scores, was.answers) != (records[name].scores, records[name].answers):
            found.append(f"{name} has other scores")
    return found


def outcome(out: Path) -> dict[str, object]:
    """What must be the same however often a study is killed."""
    from reports.records.schema import Record

    records = {name: Record.model_validate_json(content) for name, content in files(out).items()}
    return {name: (r.status, r.scores, r.curve, r.answers, dict(r.gaps)) for name, r in records.items()}


def orphans() -> list[psutil.Process]:
    """Workers whose parent is gone."""
    marks = ("runners.executors.worker", "-c")
    found = []
    for process in psutil.process_iter(["cmdline", "ppid"]):
        told = " ".join(process.info["cmdline"] or [])
        if all(mark in told for mark in marks) and process.info["ppid"] in (0, 1):
            found.append(process)
    return found


def phase(out: Path) -> str:
    """What the killed process was about, as far as its folder tells."""
    if not out.is_dir():
        return "before the first trial"
    if any(b'"gaps": {}' not in content for content in files(out).values()):
        return "costs"
    which = "a trial" if any(out.glob("*.json")) else "the search"
    return f"training of {which}, with a snapshot" if any(out.glob(".unfinished/*.pt")) else f"in {which}"


def main() -> int:
    """Kill, look, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="run the trials in so many processes")
    asked = parser.parse_args()
    options = ["--workers", str(asked.workers)] if asked.workers else []
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import runners.cli.run
    import runners.work.search  # noqa: F401  # what a run imports is imported once

    rng, found, phases = random.Random(asked.seed), list[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        root = Path(temporary)
        study = root / "killed.yaml"
        study.write_text(STUDY)
        began = time.monotonic()
        _, ended = os.waitpid(start(study, root / "alone", []), 0)
        whole = time.monotonic() - began
        expected = outcome(root / "alone")
        print(
            f"alone: {len(expected)} records in {whole:.0f} s, exit code {os.waitstatus_to_exitcode(ended)}"
        )
        killed, folder = 0, 0
        while killed < asked.kills:
            out, through = root / f"out{folder}", False
            while not through:
                before = files(out)
                child = start(study, out, options)
                # Now and then it is let run, or nothing long would ever be done.
                patience = whole * (rng.random() if killed < asked.kills else 1e9)
                until = time.monotonic() + patience
                while not through and time.monotonic() < until:
                    through = os.waitpid(child, os.WNOHANG)[0] != 0
                    time.sleep(0.005)
                if not through:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    killed += 1
                    phases[phase(out)] += 1
                found += faults(out, before)
            if outcome(out) != expected:
                found.append(f"folder {folder} is through, and differs from a run that nobody killed")
            folder += 1
    time.sleep(15 if asked.workers else 0)  # what ended last has put things in order
    left = [child.pid for child in orphans()]
    found += [f"the worker {pid} is left" for pid in left]
    print(f"{killed} kills in {folder} folders, {len(found)} faults")
    for name, count in sorted(phases.items()):
        print(f"  {count:3d}  {name}")
    for line in found[:20]:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
