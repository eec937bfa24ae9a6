"""How a row is known: who measured it, told by where its file lies, never by the file itself.

`reports/origins.yaml` is kept by the maintainers. Its `maintainers` are the folders of their own
measurements: a file below one of them, in this checkout or installation, was measured by them. Below one of
the `imported` lies what they took over from other suites. Below `submissions/NAME/` lies what NAME reports.
`reproduced` holds, by the SHA-256 of a submitted file, what the maintainers found when they ran it again.
Every other file is self-reported, wherever it lies. `superseded` names studies of the maintainers in whose
place another one has come: their records stay to be read, and are ranked with nothing else.

Origins are kept by the hash of a record's whole content, so no record can take that of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from reports import text, yaml_text
from reports.records.latency_schema import LatencyRecord
from reports.records.once import once
from reports.records.schema import Record
from reports.records.serving_schema import ServingRecord

ROOT: Final = Path(__file__).resolve().parents[1]
MANIFEST: Final = "origins.yaml"
SUBMISSIONS: Final = "submissions"

Kind = Literal["maintainers", "reproduced", "self-reported", "another suite", "of another suite"]

TOLD: Final[Mapping[Kind, str]] = {
    "maintainers": "measured by the maintainers",
    "reproduced": "reported by others and reproduced by the maintainers",
    "self-reported": "self-reported",
    "another suite": "published by another suite",
    "of another suite": "self-reported as another suite’s",
}


@dataclass(frozen=True)
class Superseded:
    """What came in the place of a study of the maintainers."""

    study: str
    by: str
    """The other study."""
    why: str
    """A sentence without its end."""

    @property
    def told(self) -> str:
        """In a sentence."""
        study, other = text.clean(self.study), text.clean(self.by)
        return f"{study} is superseded by {other}: {text.clean(self.why, 500)}."


@dataclass(frozen=True)
class Origin:
    """Who vouches for a record."""

    kind: Kind
    by: str = ""
    """The name of a submission's folder, or of the other suite; empty where there is none."""
    superseded: Superseded | None = None
    """Where it is of a study of the maintainers that is."""

    @property
    def told(self) -> str:
        """In words."""
        return f"{TOLD[self.kind]} ({text.name(self.by)})" if self.by else TOLD[self.kind]


Measured = Record | LatencyRecord | ServingRecord
"""A record of any kind."""

Origins = Mapping[str, Origin]
"""Who measured each record, by :func:`content_key`."""

UNKNOWN: Final = Origin("self-reported")
"""Of a record of which nothing is known but what it says."""

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Folder = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class _Other(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: _Folder
    why: Annotated[str, StringConstraints(min_length=1, pattern=r"[^.]$")]


class _Manifest(BaseModel):
    """The content of `origins.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    maintainers: tuple[_Folder, ...]
    imported: tuple[_Folder, ...] = ()
    reproduced: dict[_Sha256, str] = {}
    superseded: dict[_Folder, _Other] = {}


def origins(located: Mapping[Path, Measured], root: Path = ROOT) -> Origins:
    """The origin of each record by its key.

    Args:
        located: records by their file, as ``records.located_records`` and ``latency.located_latencies`` read
            them.
        root: the folder that has the manifest; ours, except in tests.
    """
    found: dict[str, Origin] = {}
    for path, record in located.items():
        key, origin = content_key(record), _origin(path, record, root)
        if trusted(origin) or key not in found:  # a copy of their file takes nothing from the maintainers
            found[key] = origin
    return found


def origin_of(record: Measured, known: Origins | None) -> Origin:
    """Who measured one record; where that is not known, whoever gave it reports it."""
    if known and (found := known.get(content_key(record))):
        return found
    suite = record.suite if isinstance(record, Record) else None
    return Origin("of another suite", suite.name) if suite else UNKNOWN


def trusted(origin: Origin) -> bool:
    """Whether the maintainers measured it or took it over themselves: what others are held against."""
    return origin.kind in ("maintainers", "another suite")


def superseded(record: Measured, known: Origins | None) -> Superseded | None:
    """What came in the place of the study that a record is of; None where it stands."""
    return origin_of(record, known).superseded


LATER: Final = ("decoding", "forgetting")
"""Parts of a record that most have not."""


@once
def content_key(record: Measured) -> str:
    """SHA-256 of everything that a record says, in hexadecimal.

    A part that came later and is not there is not said, so that the pages of records keep their addresses.
    """
    unsaid: dict[str, bool | dict[str, bool]] = {
        name: True for name in LATER if getattr(record, name, None) is None
    }
    if isinstance(record, Record) and record.training and record.training.energy is None:
        unsaid["training"] = {"energy": True}
    said = record.model_dump_json(exclude=unsaid)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _origin(path: Path, record: Measured, root: Path) -> Origin:
    manifest = _manifest(root / MANIFEST)
    try:  # resolved, so that neither a link nor `..` lends a file the trust of a folder
        parts = path.resolve().relative_to(root.resolve()).parts
    except ValueError:
        parts = ()
    by = parts[1] if len(parts) > 2 and parts[0] == SUBMISSIONS else ""
    if isinstance(record, Record) and record.suite is not None:
        if len(parts) > 1 and parts[0] in (*manifest.maintainers, *manifest.imported):
            return Origin("another suite", record.suite.name)
        return Origin("of another suite", f"{record.suite.name}, {by}" if by else record.suite.name)
    if len(parts) > 1 and parts[0] in manifest.maintainers:
        other = manifest.superseded.get(record.study)
        return Origin(
            "maintainers", superseded=Superseded(record.study, other.by, other.why) if other else None
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if manifest.reproduced else ""
    return Origin("reproduced" if digest in manifest.reproduced else "self-reported", by)


@cache
def _manifest(path: Path) -> _Manifest:
    return _Manifest.model_validate(yaml_text.load(path.read_text(encoding="utf-8")))
