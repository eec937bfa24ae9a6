"""What is known of scores: the published boards and a reader's own records, for tasks like theirs.

Own records and published ones are never averaged. What has enough seeds for an interval comes
first, then what is of the same model, own records, and the board with the most tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import reports
from reports import RecordError, text
from reports.records.identity import is_for_claim, is_for_dimensions
from reports.records.origins import Superseded, superseded
from reports.records.schema import Record
from reports.stats.aggregate import Row
from reports.stats.choice import Evidence, different_examples, evidence
from reports.stats.section import Section, by_model
from reports.stats.sections import repeats, sections
from reports.stats.standing import Standing, standing
from runners.choosing.likeness import Likeness, of_name
from runners.known import EMBEDDED
from runners.plan.contenders import Choice
from runners.plan.errors import SpecError

PUBLISHED: Final = Path(reports.__file__).parent / "leaderboards"
"""The boards that come with Paretune: records of comparisons, in a checkout those of claims as well."""
OWN: Final = Path("results")
_OTHERS: Final = ("claim-", "intrinsic", "latency-", "serving")
"""What the folders of published records that compare nothing for a reader's choice begin with."""
EMBEDDED_NAME: Final = "MiniLM-L6"


@dataclass(frozen=True)
class Reach:
    """How far what is known goes."""

    tasks: tuple[str, ...]
    model: str
    """By its name in the records."""
    base_parameters: int | None
    fewest: int | None
    """Different examples that a training saw, on the task with the fewest."""
    most: int | None
    seeds: tuple[int, ...]

    def beside(self, examples: int | None) -> str:
        """A sentence where a reader's number of examples is far from what was trained on; else empty."""
        if examples is None or self.fewest is None or self.most is None:
            return ""
        if self.fewest / 2 <= examples <= self.most * 2:
            return ""
        seen = span(self.fewest, self.most)
        way = "fewer" if examples < self.fewest else "more"
        return (
            f"You have {text.count(examples)} examples, far {way} than the {seen} different ones that were "
            "trained on here: which method is best may be another."
        )


@dataclass(frozen=True)
class Board:
    """What was measured of the methods on one model, on some tasks."""

    evidence: Evidence
    standing: Standing | None
    sections: tuple[Section, ...]
    reach: Reach
    choices: Mapping[str, Choice]
    """By label the method at its largest setting that was run."""
    own: bool
    """Whether these are a reader's own records."""

    @property
    def superseded(self) -> Superseded | None:
        """What came in its place; None where it stands."""
        return self.sections[0].rows[0].origin.superseded

    @property
    def decided(self) -> bool:
        """Whether its runs give any two methods an interval."""
        return self.standing is not None and self.standing.decided


@dataclass(frozen=True)
class Sources:
    """Where records are read."""

    published: tuple[Path, ...]
    own: tuple[Path, ...]

    @classmethod
    def found(cls, boards: Sequence[Path] | None) -> Sources:
        """The given files and folders; else the published boards, and ``results`` where there is one."""
        if boards:
            if absent := [path for path in boards if not path.exists()]:
                raise SpecError(
                    f"there is nothing at {str(absent[0])!r}: expected files or folders of records."
                )
            return cls((), tuple(boards))
        folders = [path for path in PUBLISHED.glob("*") if not path.name.startswith(_OTHERS)]
        return cls(tuple(sorted(folders)), (OWN,) if OWN.is_dir() else ())


def boards(sources: Sources) -> tuple[list[list[Section]], list[list[Section]], list[str]]:
    """The sections of each model, own ones and published ones, and what could not be read."""
    notes: list[str] = []
    own = _sections(sources.own, notes)
    return own, _sections(sources.published, notes), notes


def known(
    groups: tuple[Sequence[Sequence[Section]], Sequence[Sequence[Section]]],
    model: str,
    like: Likeness | None,
    task: str | None,
    margin: float,
) -> list[Board]:
    """The boards for tasks like a reader's, the nearest first; what is superseded comes last.

    Args:
        groups: the sections of each model: own ones, published ones.
        model: the reader's.
        like: what their task is like; None for every task.
        task: one that is taken even where nothing tells what it is like.
        margin: within which methods are as good as each other.
    """
    found = []
    for own, models in zip((True, False), groups, strict=True):
        for group in models:
            some = [one for one in group if one.rows and _alike(one, like, task)]
            if (board := make(some, own=own, margin=margin)) is not None:
                found.append(board)
    found.sort(
        key=lambda board: (
            *(board.superseded is not None, not board.decided, board.reach.model != model, not board.own),
            *(board.evidence.suite is not None, -len(board.sections)),
        )
    )
    return found


def make(some: Sequence[Section], *, own: bool, margin: float) -> Board | None:
    """A board of some sections of one model; None where no method is ranked."""
    stands = standing(some, margin) if some else None
    told = evidence(some, stands, shown(some[0].model) if some else "")
    if told is None:
        return None
    rows: dict[str, list[Row]] = {one.label: [] for one in told.candidates}
    for section in some:
        for row in section.rows:
            rows.setdefault(row.label, []).append(row)
    choices = {label: _largest(label, of) for label, of in rows.items() if of}
    return Board(told, stands, tuple(some), _reach(some), choices, own)


def shown(model: str) -> str:
    """A model by the name that people know it by."""
    return EMBEDDED_NAME if model == EMBEDDED else text.name(model)


def span(low: int, high: int) -> str:
    """`2,560 to 7,251`, or one number."""
    return text.count(low) if low == high else f"{text.count(low)} to {text.count(high)}"


def _sections(paths: Sequence[Path], notes: list[str]) -> list[list[Section]]:
    """The sections of each model; faults are told and left out, as a page does."""
    from reports.records.reading import read_all

    files = [file for path in paths for file in _files(path)]
    if not files:
        return []
    try:
        reading = read_all(files)
    except RecordError as error:
        notes.append(f"No record could be read: {error}")
        return []
    if reading.left_out:
        first, why = next(iter(reading.left_out.items()))
        more = len(reading.left_out)
        notes.append(f"{text.plural(more, 'file')} left out, such as {first}: {why}.")
    records = [r for r in reading.trials.values() if not (is_for_claim(r) or is_for_dimensions(r))]
    again = {index for index, _ in repeats(records, reading.origins)}
    groups: dict[str, list[Record]] = {}
    for index, record in enumerate(records):
        if index not in again:
            other = superseded(record, reading.origins)
            groups.setdefault(other.study if other else "", []).append(record)
    return [model for group in groups.values() for model in by_model(sections(group, reading.origins))]


def _files(path: Path) -> list[Path]:
    """Records of trials: not those of a search, which have no reported score."""
    if path.is_file():
        return [path]
    below = path.rglob("*.json")
    return sorted(p for p in below if "search" not in p.relative_to(path).parts[:-1] and _may_be_one(p))


def _may_be_one(path: Path) -> bool:
    return not path.name.endswith((".latency.json", ".serving.json")) and path.is_file()


def _alike(section: Section, like: Likeness | None, task: str | None) -> bool:
    return like is None or section.task == task or of_name(section.task) == like


def _largest(label: str, rows: Sequence[Row]) -> Choice:
    """The setting of the most parameters among those that a label's runs had."""
    settings: dict[str, tuple[int, Row]] = {}
    for row in rows:
        for record in row.records:
            options = _options(record)
            size = record.parameters.method if record.parameters else 0
            settings.setdefault(json.dumps(options, sort_keys=True, default=str), (size, row))
    key = max(settings, key=lambda one: settings[one][0])
    return Choice(label, settings[key][1].identity.method, json.loads(key))


def _options(record: Record) -> dict[str, Any]:
    options = record.spec.get("options")
    return dict(options) if isinstance(options, dict) else {}


def _reach(some: Sequence[Section]) -> Reach:
    records = [record for section in some for row in section.rows for record in row.records]
    seen = [count for record in records if (count := different_examples(record)) is not None]
    sizes = [record.parameters.base for record in records if record.parameters]
    return Reach(
        tasks=tuple(section.task for section in some),
        model=some[0].model,
        base_parameters=max(sizes, default=None),
        fewest=min(seen, default=None),
        most=max(seen, default=None),
        seeds=tuple(sorted({row.score.n for section in some for row in section.rows if row.score.n})),
    )
