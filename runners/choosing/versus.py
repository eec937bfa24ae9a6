"""Two methods side by side: the verdict of their runs, their scores task by task, and their costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from methods import MethodError
from methods.errors import nearest
from reports import text
from reports.stats.aggregate import Row
from reports.stats.choice import Candidate
from reports.stats.section import Section
from reports.stats.verdict import Verdict
from runners.choosing import boards
from runners.choosing.boards import Board, Sources
from runners.choosing.likeness import Likeness
from runners.plan.contenders import parse_contender
from runners.plan.errors import SpecError

TIMES: Final = {"seconds": "training time", "latency": "latency", "merged": "latency, merged"}


@dataclass(frozen=True)
class Side:
    """One of the two, as the board calls it."""

    label: str
    candidate: Candidate


@dataclass(frozen=True)
class OnTask:
    """What both did on one task."""

    section: Section
    first: Row
    second: Row


@dataclass(frozen=True)
class Versus:
    """Two methods on one board."""

    board: Board
    first: Side
    second: Side
    verdict: Verdict | None
    """None where no method has three seeds."""
    tasks: tuple[OnTask, ...]
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The verdict, in words."""
        if self.verdict is not None:
            return self.verdict.sentence
        return (
            f"{text.clean(self.first.label)} and {text.clean(self.second.label)}: not decided, as it takes "
            "three seeds of each."
        )

    def ratio(self, cost: str) -> float | None:
        """A measured cost of the first as a multiple of the second's."""
        one, other = self.first.candidate.costs.get(cost), self.second.candidate.costs.get(cost)
        return None if one is None or not other else one / other


def compare(
    first: str,
    second: str,
    sources: Sources,
    *,
    model: str | None = None,
    like: Likeness | None = None,
    task: str | None = None,
    margin: float = 0.01,
) -> Versus:
    """Put two methods side by side on the nearest board that has both.

    Args:
        first: a label of a board, or a method with options as ``NAME:KEY=VALUE,..``.
        second: the same.
        sources: where records are read.
        model: whose board is preferred.
        like: what tasks have to be like; None for all.
        task: one that is taken even where nothing tells what it is like.
        margin: within which one is as good as the other.

    Raises:
        SpecError: no board has both; one sentence.
        MethodError: an unknown method or option.
    """
    own, published, notes = boards.boards(sources)
    found = boards.known((own, published), model or "", like, task, margin)
    if not found:
        raise SpecError("there is no record to compare on: expected some in --boards or ./results.")
    for board in found:
        sides = _side(board, first), _side(board, second)
        if sides[0] and sides[1]:
            return _versus(board, sides[0], sides[1], notes)
    labels = list(dict.fromkeys(label for board in found for label in board.choices))
    missing = next((one for one in (first, second) if not any(_side(board, one) for board in found)), None)
    if missing is None:
        raise SpecError(f"{first!r} and {second!r} are on no board together.")
    _check(missing)
    raise SpecError(f"no record on these boards is of {missing!r}; {nearest(missing, labels)}.")


def _side(board: Board, named: str) -> Side | None:
    candidates = {one.label: one for one in board.evidence.candidates}
    if named in candidates:
        return Side(named, candidates[named])
    try:
        asked = parse_contender(named)
    except (SpecError, MethodError):
        return None
    for label, choice in board.choices.items():
        same = all(_plain(choice.options.get(key)) == _plain(value) for key, value in asked.options.items())
        if choice.method == asked.method and same:
            return Side(label, candidates[label])
    return None


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _check(named: str) -> None:
    """Let what cannot be a method say so itself.

    Raises:
        SpecError, MethodError: one sentence.
    """
    if " " not in named:
        parse_contender(named)


def _versus(board: Board, first: Side, second: Side, notes: Sequence[str]) -> Versus:
    if first.label == second.label:
        raise SpecError(f"received {first.label!r} twice, expected two methods.")
    on = []
    for section in board.sections:
        rows = {row.label: row for row in section.rows}
        if first.label in rows and second.label in rows:
            on.append(OnTask(section, rows[first.label], rows[second.label]))
    return Versus(
        board=board,
        first=first,
        second=second,
        verdict=board.evidence.verdict(first.label, second.label),
        tasks=tuple(on),
        notes=(*notes, *([board.superseded.told] if board.superseded else [])),
    )
