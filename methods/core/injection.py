"""A method alive in one model: what it trains, and the changes that it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from methods.core.change import Change, Foldable
from methods.core.options import Options
from methods.core.places import Place, at
from methods.core.standing_in import Kept


@dataclass(frozen=True)
class TaskHead:
    """What a method has to do with the task head, beside letting it train."""

    extra: Mapping[str, nn.Parameter] = field(default_factory=dict)
    """Parameters of the base that train and count with it."""
    trains: bool = True
    """Whether it trains as itself; else the method moves it, and a checkpoint keeps where it began."""


@dataclass
class Injection:
    """A method alive in one model."""

    options: Options
    """Those that rebuild it: the ones it was asked for, with what was settled when it was put in."""
    trained: dict[str, nn.Parameter] = field(default_factory=dict)
    """The parameters that the method owns, by a name that is stable across runs, as it made them.

    Of a live model :attr:`live` tells what stands there now.
    """
    changes: list[Change] = field(default_factory=list)
    """What it changed, in order."""
    head: TaskHead = field(default_factory=TaskHead)
    rates: dict[str, float] = field(default_factory=dict)
    """By the same names, learning rates relative to the run's; a name that is not here has the run's own."""
    places: dict[str, Place] = field(default_factory=dict)
    """Where the trained parameters lie, once the method is in the model."""

    @property
    def live(self) -> dict[str, nn.Parameter]:
        """The parameters that the method owns as they are in the model now."""
        return at(self.places)

    def undo(self) -> None:
        """Take all changes back, the last one first."""
        for change in reversed(self.changes):
            change.undo()

    def redo(self) -> None:
        """Make all of them again."""
        for change in self.changes:
            change.redo()

    def fold(self) -> None:
        """Fold all that can be; whatever fails leaves nothing folded."""
        done: list[Foldable] = []
        try:
            for change in self.foldable:
                change.fold()
                done.append(change)
        except BaseException:
            for change in reversed(done):
                change.unfold()
            raise

    def unfold(self) -> None:
        """Undo :meth:`fold`, bit by bit."""
        for change in reversed(self.foldable):
            change.unfold()

    @property
    def foldable(self) -> list[Foldable]:
        """The changes that can be folded, in order."""
        return [change for change in self.changes if isinstance(change, Foldable)]

    @property
    def kept(self) -> list[Kept]:
        """What folding has put out of the model."""
        return [one for change in self.foldable for one in change.kept]
