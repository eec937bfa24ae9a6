"""Weights & Biases: configuration, curves and the final record of every trial.

Offline unless the user is logged in. Tracking watches and never takes part: whatever goes wrong in it is
said once and the study goes on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import wandb

from reports.records.schema import Record
from runners.plan.names import Names
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials import batches
from runners.trials.loop import Progress


def _never_raises(call: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(call)
    def guarded(self: Tracker, *arguments: Any) -> None:
        if self.broken:
            return
        try:
            call(self, *arguments)
        except Exception as error:
            self.broken = True
            self.warn(f"W&B stopped working and is left out from here on: {type(error).__name__}: {error}")

    return guarded


class Tracker:
    """Sends a study to W&B, one run per trial, grouped by study.

    Args:
        study: what runs.
        folder: offline runs are kept below it, in ``wandb/``.
        warn: shows one line to the user.
    """

    def __init__(self, study: Study, folder: Path, warn: Callable[[str], None]) -> None:
        self.study = study
        self.names = Names(study.specs, study.searches)
        self.folder = folder
        self.warn = warn
        self.broken = False
        self._runs: dict[str, Any] = {}
        """Those that are open, by trial: several trials may go on at once."""

    @_never_raises
    def started(self, spec: TrialSpec) -> None:
        """Open a run with the resolved spec as its configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        where = mode()
        if (before := self._runs.pop(spec.trial_id, None)) is not None:  # its worker was ended
            before.finish(exit_code=1)
        self._runs[spec.trial_id] = wandb.init(
            project="paretune",
            group=self.study.name,
            name=self.names.trial(spec),
            id=run_id(self.study, spec),
            config=spec.model_dump(mode="json"),
            mode=where,
            # A trial that was stopped at a rung and goes on is one run.
            resume="allow" if spec.halving and where == "online" else None,
            dir=str(self.folder),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )

    @_never_raises
    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """Log the loss and, at an evaluation, the selection score."""
        run = self._runs.get(spec.trial_id)
        if run is None or progress.train_loss is None:
            return
        values: dict[str, float | None] = {"train/loss": progress.train_loss}
        if progress.selection is not None:
            values |= {f"selection/{name}": value for name, value in progress.selection.items()}
        run.log(values, step=progress.step)

    @_never_raises
    def finished(self, spec: TrialSpec, record: Record) -> None:
        """Put the whole record into the run's summary and close it."""
        run = self._runs.pop(spec.trial_id, None)
        if run is None:
            return
        run.summary.update({"record": record.model_dump(mode="json")})
        run.finish(exit_code=0 if record.status in ("completed", "pruned") else 1)


def run_id(study: Study, spec: TrialSpec) -> str:
    """W&B's id of a trial: one for each study, data and spec, however often it is run.

    A trial whose settings a search chooses is another than the same one with fixed settings.
    """
    data = batches.load(spec.declared, spec.data).sha256
    content = [study.name, bool(study.searches), data, spec.trial_id]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def mode() -> Any:
    """``WANDB_MODE`` if set, else online for a logged-in user and offline otherwise."""
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    return "online" if wandb.login(prompt=False) else "offline"


def log_tables(tables: Sequence[Path], folder: Path) -> str:
    """Log CSV tables to W&B as one run; return its address, or its folder where it is offline.

    Args:
        tables: the files; each becomes a table of its name.
        folder: offline runs are kept below it, in ``wandb/``.
    """
    run = wandb.init(
        project="paretune",
        job_type="report",
        mode=mode(),
        dir=str(folder),
        reinit="finish_previous",
        settings=wandb.Settings(silent=True, console="off"),
    )
    run.log({path.stem: wandb.Table(dataframe=pd.read_csv(path)) for path in tables})
    where = run.url or run.dir
    run.finish()
    return str(where)
