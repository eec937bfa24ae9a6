"""What a running study shows on the terminal: a table of its trials with progress and time left."""

from __future__ import annotations

import time
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


class LiveTable:
    """Draws the trials of a study while they run; plain lines where there is no terminal.

    Args:
        study: what runs.
        done: records that were there before.
        console: where to draw.
    """

    def __init__(self, study: Study, done: dict[str, Record], console: Console) -> None:
        self.study = study
        self.console = console
        self.names = Names(study.specs, study.searches)
        self.records = {key: done[key] for key in (spec.trial_id for spec in study.specs) if key in done}
        self.before = len(self.records)
        self.current: TrialSpec | None = None
        self.now = Progress("loading")
        self.started_at = time.monotonic()
        self.trial_started_at = self.started_at
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
        if self.console.is_terminal:
            self._live.stop()

    def started(self, spec: TrialSpec) -> None:
        """Show a trial as running."""
        self.current, self.now, self.trial_started_at = spec, Progress("loading"), time.monotonic()

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """Show where it is."""
        self.now = progress

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """Show its result."""
        self.current = None
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
        """Estimate from the trials of this run, the running one's share included; None before any."""
        waiting = len(self.study.specs) - len(self.records)
        finished = [r.wall_seconds for key, r in self.records.items()][self.before :]
        running = time.monotonic() - self.trial_started_at if self.current else 0.0
        if finished:
            each = sum(finished) / len(finished)
            return max(0.0, each * waiting - min(running, each))
        share = self.now.step / self.now.steps if self.now.steps else 0.0
        if share < 0.1:
            return None
        return running / share * waiting - running

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
        line = f"{done} · {duration(time.monotonic() - self.started_at)} · {left(self.seconds_left())}"
        return Group(heading(self.study), table, Text(line, style="dim"))

    def _visible(self) -> list[TrialSpec]:
        specs = list(self.study.specs)
        at = specs.index(self.current) if self.current else len(self.records)
        first = max(0, min(at - VISIBLE_ROWS // 2, len(specs) - VISIBLE_ROWS))
        return specs[first : first + VISIBLE_ROWS]

    def _state(self, spec: TrialSpec) -> tuple[Text | ProgressBar, str, str, str]:
        record = self.records.get(spec.trial_id)
        if record is not None:
            trained = f"{record.parameters.method:,}" if record.parameters else "–"
            state = Text(record.status, style=STYLES[record.status])
            return state, _score(record), trained, duration(record.wall_seconds)
        if self.current is not None and spec == self.current:
            running = duration(time.monotonic() - self.trial_started_at)
            loss = f"loss {self.now.train_loss:.3f}" if self.now.train_loss is not None else ""
            if self.now.phase == "training":
                return ProgressBar(total=self.now.steps, completed=self.now.step, width=22), loss, "", running
            return Text(self.now.phase, style="cyan"), "", "", running
        return Text("waiting", style="dim"), "", "", ""


def _score(record: Record) -> str:
    if record.scores is None or record.task is None:
        return "–"
    value = record.scores.report[record.task.main_metric]
    return "undefined" if value is None else f"{record.task.main_metric} {value:.3f}"


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
