"""Where a trial was measured: versions, the exact code, and the machine, without naming its host."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reports.records.schema import Environment

if TYPE_CHECKING:
    import accelerate

DISTRIBUTION = "paretune"
PACKAGES = (
    "torch",
    "transformers",
    "datasets",
    "evaluate",
    "accelerate",
    "tokenizers",
    "numpy",
    "pandas",
    "optuna",
)
"""The libraries that move numbers, or choose what is measured; recorded with their installed versions."""
OUR_PACKAGES = ("paretune", "methods", "tasks", "runners", "reports")
"""Folders of the checkout in which a file unknown to git makes the tree unclean: it could be imported."""
RESULTS = ("reports/leaderboards/", "reports/pilot/", "reports/submissions/")
"""Folders in them of records, which no measurement reads: those that a run writes there change no code."""

_CODE_ROOT = Path(__file__).resolve().parent.parent
_GIT_SECONDS = 20.0


def version() -> str:
    """Paretune's own."""
    return _version(DISTRIBUTION) or "0+unknown"  # run from a folder, never installed


def describe(accelerator: accelerate.Accelerator, side_by_side: int | None = 1) -> Environment:
    """The environment of the trial that ``accelerator`` runs, one of so many at once on this machine."""
    import torch  # here, since a command asks for cores before it is imported

    from runners.device import device_name

    commit, tree_clean = checkout(_CODE_ROOT)
    return Environment(
        paretune_version=version(),
        commit=commit,
        tree_clean=tree_clean,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages={name: found for name in PACKAGES if (found := _version(name)) is not None},
        device=accelerator.device.type,
        device_name=device_name(accelerator.device),
        processes=accelerator.num_processes,
        threads=torch.get_num_threads(),
        cores=cores(),
        side_by_side=side_by_side,
    )


def cores(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Processor cores that this process may use, as far as its affinity and its control group allow.

    A quota of one and a half cores counts as two.

    Args:
        groups: where the control groups are, of version 1 or 2.
        own: the file that says in which of them this process is.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [allowed, *(math.ceil(quota) for quota in _quotas(groups, own))]
    return min((count for count in found if count), default=None)


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """Cores allowed to every control group around this process that has a quota."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)  # `4:cpu,cpuacct:/a/b`; version 2 names no controllers
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = groups / "cpu" if controllers else groups
        inside = PurePosixPath(path.lstrip("/"))
        for folder in dict.fromkeys((inside, *inside.parents)):
            quota = _quota(root / folder)
            if quota is not None:
                yield quota


def _quota(group: Path) -> float | None:
    """`MAX PERIOD` in one file, or in two; -1 and `max` are none."""
    try:
        if (group / "cpu.max").is_file():
            most, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            most, period = (
                (group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
            )
        return int(most) / int(period) if int(most) > 0 and int(period) > 0 else None
    except (OSError, ValueError):  # no such group from in here, or `max`
        return None


def checkout(root: Path) -> tuple[str | None, bool | None]:
    """Commit of the code in ``root`` and whether its tree is clean; ``None`` where there is no answer.

    There is one only if ``root`` is the top of a checkout of this project. Code installed in the
    environment of another project lies inside that project's repository, whose commit says nothing.

    Clean: git sees no change to a tracked file, staged or not, and no untracked file in our packages.
    Other untracked files (results, notes) move no number. Before the first commit nothing is clean.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()).resolve() != root.resolve() or not _is_ours(root):
        return None, None
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    # NUL-separated `XY path`: paths come unquoted, and without renames there is one path per entry.
    status = _git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal")
    return commit and commit.strip(), None if status is None else not any(map(_matters, status.split("\0")))


def _matters(entry: str) -> bool:
    """Whether a line of ``git status --porcelain`` (`XY path`) makes the tree unclean."""
    state, path = entry[:2], entry[3:]
    if state == "??":
        return path.split("/")[0] in OUR_PACKAGES and not path.startswith(RESULTS)
    return bool(entry)


def _is_ours(root: Path) -> bool:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return False
    return project.get("name") == DISTRIBUTION


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command in ``root``; ``None`` without git, without a repository or on any error."""
    # A caller that is itself run by git (a hook) would otherwise have us look at its repository; and we
    # only look: refreshing the index on disk would take its lock.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(
            ("git", "-C", str(root), *arguments),
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
