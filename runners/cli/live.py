"""What a running study shows on the terminal: a table of its trials with progress and time left."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.records.schema import Record
from runners.plan.names import Names
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials.loop import Progress

STYLES = {
    "completed": "green",
    "diverged": "yellow",
    "out_of_memory": "red",
    "failed": "red",
    "pruned": "dim",
}

VISIBLE_ROWS = 24
"""Rows shown at once: a live display taller than the terminal cannot be redrawn in place."""


@dataclass
class Running:
    """A trial that goes on."""

    now: Progress = field(default_factory=lambda: Progress("loading"))
    since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """That it has run for."""
        return time.monotonic() - self.since

    @property
    def share(self) -> float:
        """Of its steps, those that are done."""
        return self.now.step / self.now.steps if self.now.steps else 0.0


class LiveTable:
    """Draws the trials of a study while they run; plain lines where there is no terminal.

    Args:
        study: what runs.
        done: records that were there before.
        console: where to draw.
        lanes: how many trials may go on at once.
    """

    def __init__(self, study: Study, done: dict[str, Record], console: Console, lanes: int = 1) -> None:
        self.study = study
        self.console = console
        self.lanes = lanes
        self.names = Names(study.specs, study.searches)
        self.records = {key: done[key] for key in (spec.trial_id for spec in study.specs) if key in done}
        self.before = len(self.records)
        self.running: dict[str, Running] = {}
        """By trial."""
        self.costs_of: TrialSpec | None = None
        """The trial that was finished and whose costs are measured now."""
        self.started_at = time.monotonic()
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        if not self.console.is_terminal:
            self.console.print(f"{self.study.title}: {self.study.settings}.", markup=False, highlight=False)
        if self.before:
            self.console.print(f"{self.before} of {len(self.study.specs)} trials have a record already.")
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.costs_of = None
        if self.console.is_terminal:
            self._live.stop()

    def started(self, spec: TrialSpec) -> None:
        """Show a trial as running."""
        self.running[spec.trial_id] = Running()

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """Show where it is."""
        if spec.trial_id in self.running:
            self.running[spec.trial_id].now = progress
        else:
            self.costs_of = spec

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """Show its result."""
        self.running.pop(spec.trial_id, None)
        self.records[spec.trial_id] = record
        if not self.console.is_terminal:
            waiting = len(self.study.specs) - len(self.records)
            outcome = _score(record) if record.status == "completed" else f"{record.status}: {record.message}"
            self.console.print(
                f"[{len(self.records)}/{len(self.study.specs)}] {self.names.trial(spec)}: {outcome} "
                f"({duration(record.wall_seconds)}; {left(self.seconds_left()) if waiting else 'done'})",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def seconds_left(self) -> float | None:
        """Estimate from the trials of this run, the running ones' shares included; None before any."""
        waiting = len(self.study.specs) - len(self.records)
        finished = [r.wall_seconds for key, r in self.records.items()][self.before :]
        return time_left(finished, self.running.values(), waiting, self.lanes)

    def _draw(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="bold")
        models = ("model",) if self.names.several_models else ()
        for column in (*models, "task", "method", "seed"):
            table.add_column(column)
        table.add_column("progress", min_width=22)
        for column in ("score", "trained", "time"):
            table.add_column(column, justify="right")
        for spec in self._visible():
            where = [spec.model] if models else []
            cells = [Text(cell) for cell in (*where, spec.task, self.names.row(spec), str(spec.seed))]
            table.add_row(*cells, *self._state(spec))
        done = f"{len(self.records)} of {len(self.study.specs)} trials"
        todo = "costs" if self.costs_of is not None else left(self.seconds_left())
        line = f"{done} · {duration(time.monotonic() - self.started_at)} · {todo}"
        return Group(heading(self.study), table, Text(line, style="dim"))

    def _visible(self) -> list[TrialSpec]:
        specs = list(self.study.specs)
        going = [i for i, spec in enumerate(specs) if spec.trial_id in self.running or spec is self.costs_of]
        at = going[0] if going else len(self.records)
        first = max(0, min(at - VISIBLE_ROWS // 2, len(specs) - VISIBLE_ROWS))
        return specs[first : first + VISIBLE_ROWS]

    def _state(self, spec: TrialSpec) -> tuple[Text | ProgressBar, str, str, str]:
        record, running = self.records.get(spec.trial_id), self.running.get(spec.trial_id)
        if record is not None and running is None:
            trained = f"{record.parameters.method:,}" if record.parameters else "–"
            state = Text(record.status, style=STYLES[record.status])
            if spec is self.costs_of:
                state = Text("costs", style="cyan")
            return state, _score(record), trained, duration(record.wall_seconds)
        if running is not None:
            now, time_ = running.now, duration(running.seconds)
            loss = f"loss {now.train_loss:.3f}" if now.train_loss is not None else ""
            if now.phase == "training":
                return ProgressBar(total=now.steps, completed=now.step, width=22), loss, "", time_
            return Text(now.phase, style="cyan"), "", "", time_
        return Text("waiting", style="dim"), "", "", ""


def _score(record: Record) -> str:
    if record.scores is None or record.task is None:
        return "–"
    metric = record.task.main_metric
    values = {metric: record.scores.report[metric]}
    values |= {name: found.scores[metric] for name, found in record.further_reports.items()}
    return ", ".join(f"{name} {'undefined' if v is None else f'{v:.3f}'}" for name, v in values.items())


def time_left(
    finished: Sequence[float], running: Iterable[Running], waiting: int, lanes: int
) -> float | None:
    """Seconds until all trials are done, several at once; None where nothing tells how long one takes.

    Args:
        finished: seconds of trials that are done.
        running: those that go on.
        waiting: how many have no result yet, the running ones among them.
        lanes: how many go on at once.
    """
    going = list(running)
    known = list(finished) or [one.seconds / one.share for one in going if one.share >= 0.1]
    if not known:
        return None
    each = sum(known) / len(known)
    work = each * waiting - sum(min(one.seconds, each) for one in going)
    return max(0.0, work / max(1, min(lanes, waiting)))


def heading(study: Study) -> Text:
    """The title of a study, and how its settings are chosen."""
    return Text.assemble((study.title, "bold"), (f" · {study.settings}", "dim"))


def duration(seconds: float) -> str:
    """`1:01`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def left(seconds: float | None) -> str:
    """The time left, as far as it can be told."""
    return "estimating" if seconds is None else f"about {duration(seconds)} left"
