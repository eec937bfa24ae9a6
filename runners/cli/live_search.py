"""What a study's searches show on the terminal: how far each is, and the best setting so far."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.records.edges import edges
from reports.records.schema import Record, SearchStep
from runners.cli.live import VISIBLE_ROWS, Running, duration, heading, left
from runners.plan.halving import steps_in_all
from runners.plan.names import Names, at
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.plan.tuning import Search
from runners.trials.loop import Progress


class LiveSearch:
    """Draws the searches of a study while they run; plain lines where there is no terminal.

    Args:
        study: what is searched.
        console: where to draw.
        lanes: how many trials may go on at once.
    """

    def __init__(self, study: Study, console: Console, lanes: int = 1) -> None:
        self.study = study
        self.console = console
        self.lanes = lanes
        self.names = Names(study.specs, study.searches)
        self.total = sum(search.trials for search in study.searches)
        self.steps: list[tuple[SearchStep, ...]] = [() for _ in study.searches]
        self.shares = [0.0 for _ in study.searches]
        self.before: float | None = None
        self.at = 0
        self.running: dict[str, Running] = {}
        """By trial."""
        self.of: dict[str, int] = {}
        """The number of the search that a trial is of."""
        self.seconds: list[float] = []
        self.reached: dict[str, int] = {}
        self.started_at = time.monotonic()
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        else:
            self._line(f"{self.study.title}: {self.study.settings}.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def told(self, search: Search, steps: Sequence[SearchStep], share: float) -> None:
        """Show the settings that a search is done with; those that have a record already are among them.

        Args:
            search: one of the study's.
            steps: the settings, with what became of them.
            share: how much of its examples is spent, 0 to 1.
        """
        self.at = self.study.searches.index(search)
        self.steps[self.at], self.shares[self.at] = tuple(steps), share
        if not self.console.is_terminal and len(steps) == search.trials:
            where = " / ".join(self._where(search))
            self._line(
                f"[{self.done}/{self.total}] {where}: {self._best(self.at)} "
                f"({left(self.seconds_left()) if self.done < self.total else 'searches done'})"
            )

    def started(self, spec: TrialSpec) -> None:
        """Show a trial as running."""
        self.running[spec.trial_id] = Running()
        search = self.names.search(spec)
        self.of[spec.trial_id] = self.at = self.study.searches.index(search) if search else self.at
        if self.before is None:  # what has a record already took no time of this run
            self.before = self.share

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """Show where it is."""
        if spec.trial_id in self.running:
            self.running[spec.trial_id].now = progress

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """Take its time for the estimate."""
        self.running.pop(spec.trial_id, None)
        self.reached[spec.trial_id] = record.training.steps if record.training else 0
        self.seconds.append(record.wall_seconds)

    @property
    def done(self) -> int:
        """Settings whose fate is known, over all searches."""
        return sum(len(steps) for steps in self.steps)

    @property
    def share(self) -> float:
        """How much of their examples is spent, on average over the searches."""
        return sum(self.shares) / len(self.shares)

    def seconds_left(self) -> float | None:
        """Of the searches, from the examples that this run has spent; None before any."""
        spent = self.share - (self.before or 0.0)
        if not self.seconds or spent <= 0:
            return None
        return sum(self.seconds) / spent * (1 - self.share) / self.lanes

    def _draw(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="bold")
        models = ("model",) if self.names.several_models else ()
        for column in (*models, "task", "method"):
            table.add_column(column)
        table.add_column("search", min_width=22)
        table.add_column("settings", justify="right")
        table.add_column("best on the selection split")
        first = max(0, min(self.at - VISIBLE_ROWS // 2, len(self.steps) - VISIBLE_ROWS))
        for index in range(first, min(first + VISIBLE_ROWS, len(self.steps))):
            search = self.study.searches[index]
            count = f"{len(self.steps[index])} of {search.trials}"
            cells = [Text(cell) for cell in self._where(search)]
            table.add_row(*cells, self._state(index), count, self._best(index))
        line = f"{self.done} of {self.total} settings of searches · {self.share:.0%} of their examples · "
        line += f"{duration(time.monotonic() - self.started_at)} · {left(self.seconds_left())}"
        return Group(heading(self.study), table, Text(line, style="dim"))

    def _each(self) -> Iterable[tuple[Search, tuple[SearchStep, ...]]]:
        return zip(self.study.searches, self.steps, strict=True)

    def _where(self, search: Search) -> list[str]:
        """Model, where there are several, task and row."""
        spec = search.default
        return [*([spec.model] if self.names.several_models else []), spec.task, self.names.row(spec)]

    def _state(self, index: int) -> Text | ProgressBar:
        if len(self.steps[index]) == self.study.searches[index].trials:
            return Text("completed", style="green")
        going = [one.share for key, one in self.running.items() if self.of[key] == index]
        if not going and (self.running or index != self.at):
            return Text("waiting", style="dim")
        return ProgressBar(total=1.0, completed=min(1.0, self.shares[index] + self._now(index)), width=22)

    def _now(self, index: int) -> float:
        """The running trials' share of a search's examples, as far as they are."""
        share = 0.0
        for key, one in self.running.items():
            if self.of[key] == index and one.now.steps:
                search = self.study.searches[index]
                whole = steps_in_all(search.brackets(one.now.steps)) * len(search.seeds)
                share += max(0, one.now.step - self.reached.get(key, 0)) / whole
        return share

    def _best(self, index: int) -> str:
        """Such as ``accuracy 0.803 at learning rate 0.001, rank 8``, and how many were stopped or lost.

        A number at an end of what was searched is told as well, once the search is done.
        """
        search, steps = self.study.searches[index], self.steps[index]
        best = search.best_of(steps)
        lost = sum(step.score is None for step in steps)
        stopped = sum(step.status == "pruned" and step.score is not None for step in steps)
        notes = ((stopped, "stopped early"), (lost, "without a score"))
        note = ", ".join(f"{count} {what}" for count, what in notes if count)
        if best is None or best.score is None or (best.status == "pruned" and len(steps) < search.trials):
            return note
        told = f"{search.metric.name} {best.score:.3f} at {at(best.values)}"
        if len(steps) == search.trials:
            space = {name: dimension.describe() for name, dimension in search.space.items()}
            ends = edges(space, best.values).items()
            told += "".join(f"; the {end} {name.replace('_', ' ')} that was searched" for name, end in ends)
        return f"{told}; {note}" if note else told

    def _line(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
