"""How the settings of trials were chosen, in words: fixed, or by a search of a stated size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import text
from reports.records import searches
from reports.records.schema import Record, Tuning

FIXED = "fixed settings"

LISTED = "grid"
"""The sampler of a search whose settings the study lists."""


def how_set(records: Sequence[Record]) -> str:
    """`fixed settings` or `tuned: 8 trials each`; where trials differ in it, all that applies.

    Empty where another suite measured them all: it does not say.
    """
    ours = [record for record in records if record.suite is None]
    found = {
        (r.tuning.trials, r.tuning.seeds, bool(r.tuning.rungs)) if r.tuning else (0, 1, False) for r in ours
    }
    said = [told(trials, seeds=seeds, halving=halving) for trials, seeds, halving in sorted(found)]
    return ", or ".join(said) or ("" if records else FIXED)


def told(trials: int, *, seeds: int = 1, halving: bool = False) -> str:
    """The same for one number of settings, 0 for no search, each of them trained with so many seeds."""
    if not trials:
        return FIXED
    each = f"{text.plural(trials, 'setting')} of {seeds} seeds" if seeds > 1 else text.plural(trials, "trial")
    return f"tuned: {each} each" + (", by halving" if halving else "")


def how_set_in_full(records: Sequence[Record]) -> str:
    """What a search saw and was given, in a sentence; the same for every method of one study."""
    budgets = {_budget(record.tuning) for record in records if record.tuning}
    said = [
        f"For every method and task {text.plural(trials, 'setting')} "
        f"{'was' if trials == 1 else 'were'} tried, {first}, with {examples:,} training examples "
        f"in all and {_with(seed, seeds)}{_stops(rungs)}; {_best(tolerance)} by {metric} on the "
        f"{split} split was then trained with the seeds below. No search saw the reported split."
        for trials, examples, seed, seeds, metric, split, rungs, first, tolerance in sorted(budgets)
    ]
    if any(record.tuning is None for record in records):
        said.append(
            "Rows with fixed settings are trained with those below, as their study names them; no search "
            "chose them."
        )
    return " ".join(said)


def searched(tuning: Tuning | None) -> str:
    """One row's search: what was tried, and what the setting that was found gained over the default."""
    if tuning is None:
        return text.MISSING
    spaces = "; ".join(
        f"{text.clean(name).replace('_', ' ')} {_range(s)}" for name, s in tuning.space.items()
    )
    best = searches.choose(
        tuning.history, higher_is_better=tuning.higher_is_better, tolerance=tuning.tolerance
    )
    if best is None:
        return f"{spaces}: no trial succeeded"
    if tuning.sampler == LISTED:
        return f"{spaces}: {text.score(best.score)}"
    first = tuning.history[0]
    stopped = f" when it was stopped after {first.steps:,} steps" if first.status == "pruned" else ""
    return f"{spaces}: {text.score(best.score)}, default {text.score(first.score)}{stopped}"


def _with(seed: int, seeds: int) -> str:
    if seeds == 1:
        return f"the seed {seed}"
    return f"each with the seeds {text.listing([str(seed + more) for more in range(seeds)])}"


def _budget(tuning: Tuning) -> tuple[int, int, int, int, str, str, tuple[int, ...], str, float]:
    budget = tuning.trials, tuning.examples, tuning.seed, tuning.seeds
    first = "which the study lists" if tuning.sampler == LISTED else "the default first"
    return *budget, text.clean(tuning.metric), tuning.split, tuning.rungs, first, tuning.tolerance


def _best(tolerance: float) -> str:
    if not tolerance:
        return "the best"
    return f"the one of the lowest learning rate within {tolerance:g} of the best"


def _stops(rungs: Sequence[int]) -> str:
    if not rungs:
        return ""
    steps = text.listing([f"{rung:,}" for rung in rungs])
    return f"; of settings tried together the worse half was stopped after {steps} steps"


def _range(space: Mapping[str, Any]) -> str:
    if "values" in space:
        return text.setting(space["values"])
    return f"{text.setting(space.get('low'))} to {text.setting(space.get('high'))}"
