"""How a row is known: who measured it, told by where its file lies, never by the file itself.

`reports/origins.yaml` is kept by the maintainers. Its `maintainers` are the folders of their own
measurements: a file below one of them, in this checkout or installation, was measured by them. Below
`submissions/NAME/` lies what NAME reports. `reproduced` holds, by the SHA-256 of a submitted file, what the
maintainers found when they ran it again. Every other file is self-reported, wherever it lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints

from reports.records.identity import ComparisonKey, TrialKey, comparison_key, trial_key
from reports.records.latency_schema import LatencyRecord
from reports.records.schema import Record

ROOT: Final = Path(__file__).resolve().parents[1]
MANIFEST: Final = "origins.yaml"
SUBMISSIONS: Final = "submissions"

Kind = Literal["maintainers", "reproduced", "self-reported", "another suite"]

TOLD: Final[Mapping[Kind, str]] = {
    "maintainers": "measured by the maintainers",
    "reproduced": "reported by others and reproduced by the maintainers",
    "self-reported": "self-reported",
    "another suite": "published by another suite",
}


@dataclass(frozen=True)
class Origin:
    """Who vouches for a record."""

    kind: Kind
    by: str = ""
    """The name of a submission's folder, or of the other suite; empty where there is none."""

    @property
    def told(self) -> str:
        """In words."""
        return f"{TOLD[self.kind]} ({self.by})" if self.by else TOLD[self.kind]


Origins = Mapping[TrialKey | ComparisonKey, Origin]
"""Who measured each trial and each latency comparison, by ``identity.trial_key`` and ``comparison_key``."""

UNKNOWN: Final = Origin("self-reported")
"""Of a record of which nothing is known but what it says."""

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Folder = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class _Manifest(BaseModel):
    """The content of `origins.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    maintainers: tuple[_Folder, ...]
    reproduced: dict[_Sha256, str] = {}


def origins(located: Mapping[Path, Record | LatencyRecord], root: Path = ROOT) -> Origins:
    """The origin of each record by its key.

    Args:
        located: records by their file, as ``records.located_records`` and ``latency.located_latencies`` read
            them.
        root: the folder that has the manifest; ours, except in tests.
    """
    return {_key(record): _origin(path, record, root) for path, record in located.items()}


def origin_of(record: Record | LatencyRecord, known: Origins | None) -> Origin:
    """Who measured one record; self-reported, where that is not known."""
    return (known or {}).get(_key(record), UNKNOWN)


def trusted(origin: Origin) -> bool:
    """Whether the maintainers measured it themselves: what others are held against."""
    return origin.kind == "maintainers"


def _key(record: Record | LatencyRecord) -> TrialKey | ComparisonKey:
    return trial_key(record) if isinstance(record, Record) else comparison_key(record)


def _origin(path: Path, record: Record | LatencyRecord, root: Path) -> Origin:
    if isinstance(record, Record) and record.suite is not None:
        return Origin("another suite", record.suite.name)
    manifest = _manifest(root / MANIFEST)
    try:  # resolved, so that neither a link nor `..` lends a file the trust of a folder
        parts = path.resolve().relative_to(root.resolve()).parts
    except ValueError:
        parts = ()
    if len(parts) > 1 and parts[0] in manifest.maintainers:
        return Origin("maintainers")
    by = parts[1] if len(parts) > 2 and parts[0] == SUBMISSIONS else ""
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if manifest.reproduced else ""
    return Origin("reproduced" if digest in manifest.reproduced else "self-reported", by)


@cache
def _manifest(path: Path) -> _Manifest:
    return _Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
