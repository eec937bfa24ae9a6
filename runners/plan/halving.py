"""Successive halving, as a plan that is known before anything runs: who is trained how far.

Settings are tried in brackets of up to four. All of a bracket are trained for a quarter of the steps, the
better half of them for half of the steps, and the best for all. Which settings go on depends on their scores,
how many does not: every search of so many trials takes the same number of steps (Jamieson and Talwalkar 2016,
https://proceedings.mlr.press/v51/jamieson16.html, with eta = 2).

    4 settings, 80 steps: 4 x 20, then 2 x 20 more, then 40 more = 160 steps instead of 320

A search may train more than the best to the end: two finalists are 4 x 20, then 2 x 60 more = 200 steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

BRACKET: Final = 4
"""Settings that are tried against each other; the next ones are suggested knowing how these did."""

PARTS: Final = (4, 2, 1)
"""The rungs are a quarter of the steps, half of them and all."""


@dataclass(frozen=True)
class Bracket:
    """Settings that are trained against each other."""

    rungs: tuple[int, ...]
    """Steps after which the worse ones stop, rising; the last are all steps."""
    settings: tuple[int, ...]
    """How many are trained to each rung."""

    @property
    def parts(self) -> tuple[int, ...]:
        """Optimiser steps of all its settings, from each rung to the next."""
        lengths = (rung - before for before, rung in pairwise((0, *self.rungs)))
        return tuple(length * count for length, count in zip(lengths, self.settings, strict=True))


def rungs(steps: int) -> tuple[int, ...]:
    """The steps after which a setting may be stopped, and the last; fewer than three in a short training."""
    return tuple(sorted({-(-steps // part) for part in PARTS}))


def brackets(trials: int, steps: int, *, halving: bool = True, finalists: int = 1) -> tuple[Bracket, ...]:
    """What a search trains, in order.

    Args:
        trials: settings tried.
        steps: optimiser steps of a training that is not stopped.
        halving: whether settings are stopped; else each is trained whole, and the next suggested knowing it.
        finalists: how many of a bracket are trained whole, where it has as many.
    """
    if not halving:
        return (Bracket((steps,), (1,)),) * trials
    whole, rest = divmod(trials, BRACKET)
    sizes = (BRACKET,) * whole + ((rest,) if rest else ())
    return tuple(_bracket(size, rungs(steps), finalists) for size in sizes)


def steps_in_all(plan: Sequence[Bracket]) -> int:
    """Optimiser steps of a whole search."""
    return sum(sum(bracket.parts) for bracket in plan)


def _bracket(size: int, at: Sequence[int], finalists: int) -> Bracket:
    """One of so many settings; where none would be stopped, there is no rung."""
    counts = [max(min(finalists, size), -(-size // 2**index)) for index in range(len(at))]
    stops = [index for index in range(len(at)) if index + 1 == len(at) or counts[index + 1] < counts[index]]
    return Bracket(tuple(at[i] for i in stops), tuple(counts[i] for i in stops))
