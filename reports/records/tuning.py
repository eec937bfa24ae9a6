"""How the settings of trials were chosen, in words: fixed, or by a search of a stated size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import text
from reports.records.schema import Record, Tuning

FIXED = "fixed settings"


def how_set(records: Sequence[Record]) -> str:
    """`fixed settings` or `tuned: 8 trials each`; where trials differ in it, all that applies.

    Empty where another suite measured them all: it does not say.
    """
    ours = [record for record in records if record.suite is None]
    found = {record.tuning.trials if record.tuning else 0 for record in ours}
    return text.listing([told(trials) for trials in sorted(found)]) or ("" if records else FIXED)


def told(trials: int) -> str:
    """The same for one number of trials, 0 for no search."""
    return f"tuned: {text.plural(trials, 'trial')} each" if trials else FIXED


def how_set_in_full(records: Sequence[Record]) -> str:
    """What a search saw and was given, in a sentence; the same for every method of one study."""
    searches = {_budget(record.tuning) for record in records if record.tuning}
    said = [
        f"For every method and task {text.plural(trials, 'setting')} "
        f"{'was' if trials == 1 else 'were'} tried, the default first, with {examples:,} training examples "
        f"in all and the seed {seed}; the best by {metric} on the {split} split was then trained with the "
        "seeds below. No search saw the reported split."
        for trials, examples, seed, metric, split in sorted(searches)
    ]
    if any(record.tuning is None for record in records):
        said.append(
            "Rows with fixed settings are trained with those below, as their study names them; no search "
            "chose them."
        )
    return " ".join(said)


def searched(tuning: Tuning | None) -> str:
    """One row's search: what was tried, and what the best setting gained over the default."""
    if tuning is None:
        return text.MISSING
    spaces = "; ".join(
        f"{text.clean(name).replace('_', ' ')} {_range(s)}" for name, s in tuning.space.items()
    )
    scores = [step.score for step in tuning.history if step.score is not None]
    if not scores:
        return f"{spaces}: no trial succeeded"
    best = max(scores, key=lambda score: score if tuning.higher_is_better else -score)
    return f"{spaces}: {text.score(best)}, default {text.score(tuning.history[0].score)}"


def _budget(tuning: Tuning) -> tuple[int, int, int, str, str]:
    return tuning.trials, tuning.examples, tuning.seed, text.clean(tuning.metric), tuning.split


def _range(space: Mapping[str, Any]) -> str:
    if "values" in space:
        return text.setting(space["values"])
    return f"{text.setting(space.get('low'))} to {text.setting(space.get('high'))}"
