"""The answer to `paretune choose`: what is predicted, what is known, and what the rule makes of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import methods
import tasks
from methods.errors import nearest
from reports import text
from reports.stats.choice import Choice as Picked
from reports.stats.choice import choose
from reports.stats.front import PARAMETERS
from runners.choosing import boards, likeness, predicted
from runners.choosing.boards import Board, Sources
from runners.choosing.likeness import Likeness
from runners.choosing.limits import LATENCY, MEMORY, MERGED, STORAGE, Limits, short, told
from runners.choosing.predicted import Prediction, Sizes
from runners.plan.contenders import Choice
from runners.plan.errors import SpecError

NAMES: Final[Mapping[str, str]] = {
    PARAMETERS: "trained parameters",
    MEMORY: "training memory",
    STORAGE: "checkpoint",
    LATENCY: "latency",
    MERGED: "latency, merged where it merges",
}
"""What costs are called."""


@dataclass(frozen=True)
class Question:
    """What a reader asks."""

    sizes: Sizes
    limits: Limits
    task: str | None = None
    """Theirs, one of Paretune's."""
    like: str | None = None
    """A task that theirs is like."""
    examples: int | None = None
    """That they have."""
    margin: float = 0.01

    @property
    def named(self) -> str | None:
        """The task that was named, either way."""
        return self.task or self.like

    def likeness(self) -> Likeness | None:
        """What tasks have to be like; None for every task.

        Raises:
            SpecError: there is no such task, or two are named.
        """
        if self.task and self.like:
            raise SpecError(
                f"received --task {self.task!r} and --like {self.like!r}, expected one of the two."
            )
        if self.named is None:
            return None
        if self.named not in tasks.names():
            option = "--task" if self.task else "--like"
            raise SpecError(
                f"received {option} {self.named!r}, and there is no such task; "
                f"{nearest(self.named, tasks.names())}."
            )
        return likeness.of(tasks.get(self.named))


@dataclass(frozen=True)
class Answer:
    """What is told."""

    question: Question
    like: Likeness | None
    predictions: tuple[Prediction, ...]
    """Of the methods with a score first, in the order of their ranks."""
    limits: Mapping[str, float]
    board: Board | None
    """Whose scores were used; None where none is for tasks like this one."""
    choice: Picked | None
    ruled_out: Mapping[str, tuple[str, ...]]
    """By label the limited costs that are too high or not told, of every method that the model carries."""
    widened: bool = False
    """Whether scores are of all tasks, as too few runs are known of tasks like this one."""
    notes: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether the scores are of another model."""
        return self.board is not None and self.board.reach.model != self.question.sizes.model

    @property
    def admitted(self) -> list[Prediction]:
        """The methods that the model carries within all limits."""
        return [
            one for one in self.predictions if one.cannot is None and one.choice.label not in self.ruled_out
        ]

    @property
    def unscored(self) -> list[str]:
        """Those of them without a score on tasks like this one."""
        known = self.board.choices if self.board else {}
        return [one.choice.label for one in self.admitted if one.choice.label not in known]

    def prediction(self, label: str) -> Prediction | None:
        """Of one method."""
        return next((one for one in self.predictions if one.choice.label == label), None)

    @property
    def headline(self) -> str:
        """The answer, in one sentence."""
        if not self.admitted:
            return "No method that this model can carry is within these limits."
        found = self.choice
        if self.board is None or found is None:
            return "No method can be picked: no score is known of tasks like this one."
        if found.pick is None:
            missing = (
                "no method with a rank is within the limits"
                if found.leader is None
                else (
                    f"{found.leader} leads by its mean ranks, and its runs give no interval against any other"
                )
            )
            return f"No method can be picked: {missing}."
        where = ", as measured on another model" if self.elsewhere else ""
        pick = text.clean(found.pick)
        if found.certainty == "decided":
            alike = f" as good as {text.clean(found.leader)} and" if pick != found.leader else ""
            return f"Pick {pick}:{alike} decided against every other method within your limits{where}."
        if found.certainty == "only":
            return f"Pick {pick}: the only method with a rank within your limits{where}."
        leads = "it leads" if pick == found.leader else f"as good as {text.clean(found.leader)}, which leads"
        return f"Pick {pick}: {leads} within your limits{where}, and {self._left(found)} not told from it."

    @staticmethod
    def _left(found: Picked) -> str:
        names = text.listing([text.clean(label) for label in found.open])
        return f"{names} {'is' if len(found.open) == 1 else 'are'}"

    @property
    def told_out(self) -> list[str]:
        """By limit the methods above it and what they cost, then those whose cost is not known."""
        lines: list[str] = []
        for name, most in self.limits.items():
            over: list[str] = []
            unknown: list[str] = []
            for one in self.predictions:
                if name not in self.ruled_out.get(one.choice.label, ()):
                    continue
                cost = one.costs[name]
                (unknown if cost is None else over).append(
                    text.clean(one.choice.label)
                    + ("" if cost is None else f" {told(name, cost, beside=most)}")
                )
            if over:
                lines.append(f"  {NAMES[name]} above {told(name, most)}: {text.listing(over)}")
            if unknown:
                lines.append(f"  {NAMES[name]} not known: {text.listing(unknown)}")
        return lines

    @property
    def untold(self) -> list[str]:
        """What is not told of methods, and which the model cannot carry: a sentence for each reason."""
        why: dict[str, list[str]] = {}
        for one in self.predictions:
            reasons = [f"cannot be used: {one.cannot}"] if one.cannot else [*one.why_not.values()]
            for reason in dict.fromkeys(reasons):
                why.setdefault(reason, []).append(text.clean(one.choice.label))
        return [f"{text.listing(names)}: {reason}" for reason, names in why.items()]

    @property
    def sentences(self) -> list[str]:
        """What stands behind the headline: risk, reach, and what is as good or worse."""
        found, board = self.choice, self.board
        said = []
        if found and board and (named := found.pick or found.leader):
            risk = next(one.risk for one in board.evidence.candidates if one.label == named)
            lost = text.learned_nothing(risk) or (
                f"none of {text.plural(risk.seeds, 'run')} did" if risk.lost == 0 else "not known"
            )
            said.append(f"Risk that {text.clean(named)} learns nothing: {lost}.")
        if found and board and found.pick:
            if found.alike:
                said.append(
                    f"As good as {found.leader} within the margin: {text.listing(list(found.alike))}."
                )
            if found.worse:
                said.append(f"Decided to be worse than {found.leader}: {text.listing(list(found.worse))}.")
            if found.alike:
                said.append(f"The cheapest of these is picked, by {NAMES[found.binding]}.")
        said += self._reach()
        if self.unscored and board:
            said.append(f"Within the limits, with no score there: {text.listing(self.unscored)}.")
        return said

    def _reach(self) -> list[str]:
        if self.board is None:
            return []
        reach = self.board.reach
        size = f", {short(reach.base_parameters)}" if reach.base_parameters else ""
        tasks_of = text.listing([text.name(task) for task in reach.tasks])
        whose = "your own records" if self.board.own else "the published boards"
        model = f"{boards.shown(reach.model)}{size}"
        other = f"{model} and not {text.name(self.question.sizes.model)}" if self.elsewhere else model
        seeds = " or ".join(map(str, reach.seeds)) or "0"
        seen = (
            f", {boards.span(reach.fewest, reach.most)} different training examples"
            if reach.fewest is not None and reach.most is not None
            else ""
        )
        like = f" ({self.like})" if self.like else ""
        if self.widened:
            like = f" (all there is: too few runs on tasks like yours, {self.like})"
        said = [f"Scores are from {whose}: {tasks_of}{like}, on {other}{seen}, {seeds} seeds."]
        other_board, beside = self.board.superseded, reach.beside(self.question.examples)
        return [*said, *([other_board.told] if other_board else []), *([beside] if beside else [])]


def answer(
    question: Question,
    sources: Sources,
    *,
    timed: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Answer:
    """Predict, look up, and apply the rule.

    Args:
        question: the reader's.
        sources: where records are read.
        timed: whether this machine is asked for times; without, no latency beside 1 is told.
        say: is told what is being done.

    Raises:
        SpecError, ModelError, MethodError: one sentence.
    """
    like = question.likeness()
    say("Reading records ...")
    own, published, notes = boards.boards(sources)
    model = question.sizes.model
    groups = own, published
    found = boards.known(groups, model, like, question.named, question.margin)
    widened = like is not None and not any(one.decided for one in found)
    if widened:
        found = boards.known(groups, model, None, None, question.margin) or found
    board = found[0] if found else None
    scored = list(board.choices.values()) if board else []
    have = {one.method for one in scored}
    asked = [*scored, *(Choice(name, name, {}) for name in methods.names() if name not in have)]
    predictions = predicted.predict(question.sizes, asked, timed=timed, told=say)
    base = max((one.base for one in predictions), default=0)
    limits = question.limits.of(base)
    out = {
        one.choice.label: names for one in predictions if one.cannot is None and (names := _over(one, limits))
    }
    return Answer(
        question=question,
        like=like,
        predictions=tuple(predictions),
        limits=limits,
        board=board,
        choice=_choice(board, predictions, limits) if board else None,
        ruled_out=out,
        widened=widened,
        notes=tuple(notes),
    )


def _choice(board: Board, predictions: Sequence[Prediction], limits: Mapping[str, float]) -> Picked:
    """The rule, on what the model can carry, by what it would cost there."""
    costs = {one.choice.label: one.costs for one in predictions if one.cannot is None}
    able = tuple(one for one in board.evidence.candidates if one.label in costs)
    return choose(replace(board.evidence, candidates=able), limits, costs)


def _over(one: Prediction, limits: Mapping[str, float]) -> tuple[str, ...]:
    costs = one.costs
    return tuple(name for name, most in limits.items() if (cost := costs.get(name)) is None or cost > most)
