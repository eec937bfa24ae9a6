"""Which code and which libraries a process runs: two that differ may give two scores for one trial."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from runners.environment import OUR_PACKAGES, PACKAGES

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Build:
    """What a process runs."""

    code: str
    """SHA-256 of our files, committed or not."""
    versions: dict[str, str | None]
    """Of Python, of the libraries that move numbers, and of the packages that bring methods or tasks."""


@cache
def build() -> Build:
    """What this process runs."""
    brought = {
        point.dist.name: point.dist.version
        for group in ("paretune.methods", "paretune.tasks")
        for point in metadata.entry_points(group=group)
        if point.dist
    }
    versions = {name: _version(name) for name in PACKAGES} | brought
    return Build(_code(_ROOT), {"python": platform.python_version(), **versions})


def difference(wanted: Build, found: Build) -> str | None:
    """In what a process differs, in a few words; None where it does not."""
    for name, version in wanted.versions.items():
        if found.versions.get(name) != version:
            return f"{name} {found.versions.get(name) or 'none'}, expected {version or 'none'}"
    if found.code != wanted.code:
        return f"code of Paretune with the hash {found.code[:12]}, expected {wanted.code[:12]}"
    return None


def _code(root: Path) -> str:
    digest = hashlib.sha256()
    files = [path for wing in OUR_PACKAGES for path in (root / wing).rglob("*.py")]
    for path in sorted([*files, *(root / "runners").glob("*.yaml")]):
        name = path.relative_to(root).as_posix()
        digest.update(f"\0{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
