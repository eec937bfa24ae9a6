"""What a model forgets: a measure of something else than its task, before and after, on the same texts.

Of a causal model that writes it is the perplexity of general text, over the same tokens; of a model that
classifies the accuracy of a frozen head on another task (:mod:`runners.trials.elsewhere`). After is with the
method in it, as trained; before is the base, bit by bit, which the model is for a while. Each text is
compared with itself, so that the interval goes over texts in pairs. It is measured when the trial is scored,
with every seed, since it depends on what was trained.

Of encoder-decoders nothing is told: most are pretrained to fill in gaps, and have no perplexity of a text.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

import tasks
from methods import Adapted
from reports.records.cost_parts import Forgetting
from runners import models
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.trials import batches, elsewhere, prompted
from runners.writing.likelihood import nats
from runners.writing.tokens import Form, Prompted, Ragged

LONGEST: Final = 128
"""Tokens that are read of a text at most."""

LEAST_TEXTS: Final = 10
"""Below, there is no interval over texts worth its name."""

_ROWS = 8  # at once: the logits of all their tokens are there
_RESAMPLES = 2_000
_MOST: Final = 1e30  # that a record holds


@dataclass(frozen=True)
class General:
    """General text that no trial is trained on."""

    name: str
    texts: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of the texts that are read."""
        return hashlib.sha256("\0".join(self.texts).encode()).hexdigest()


def source(spec: TrialSpec) -> str:
    """The file or the task that a trial is told to be measured on; empty for none."""
    return (spec.costs.forgetting or "") if spec.costs is not None else ""


def asked(spec: TrialSpec) -> bool:
    """Whether it is measured in a trial: the study asks for it, and there is such a measure of the model."""
    if not source(spec) or spec.search:
        return False
    if getattr(models.settings_of(spec.model), "is_encoder_decoder", False):
        return False
    return spec.writes or _is_classification(source(spec))


def _is_classification(name: str) -> bool:
    return name in tasks.names() and tasks.get(name).problem_type == "classification"


@lru_cache(maxsize=2)
def general(source: str, count: int) -> General:
    """Read general text: a file in UTF-8 with empty lines between texts, or a task's reported texts.

    Args:
        source: the file, or the name of the task.
        count: how many texts are read, the first ones.

    Raises:
        SpecError: it is neither, cannot be read, or has too few texts.
        DataError: the task's data are not there.
    """
    name = Path(source).name
    if Path(source).is_file():
        try:
            content = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"costs: forgetting={source} cannot be read as text in UTF-8: {error}.") from None
        every = [part.strip() for part in re.split(r"\n\s*\n", content) if part.strip()]
    elif source in tasks.names():
        every = list(batches.load(tasks.get(source), None).report["text"])
    else:
        near = difflib.get_close_matches(source, tasks.names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise SpecError(
            f"costs: forgetting={source} is no file here and no task, expected a file of text, or a task "
            f"with text such as imdb{hint}"
        )
    if len(every) < LEAST_TEXTS:
        raise SpecError(
            f"costs: forgetting={source} has {len(every)} texts with empty lines between them, expected "
            f"{LEAST_TEXTS} or more."
        )
    return General(name, tuple(every[:count]))


def check(spec: TrialSpec) -> None:
    """Find out before the first trial what would keep it from being measured.

    Raises:
        SpecError, DataError: the text cannot be read, or is that of the trial's own task; one sentence.
    """
    if not source(spec):
        return
    if source(spec) == spec.task:
        raise SpecError(
            f"costs: forgetting={spec.task} is the task that is trained on, expected text that is not of it."
        )
    general(source(spec), (spec.costs or CostSettings()).forgetting_texts)


def measure(spec: TrialSpec, adapted: Adapted) -> Forgetting:
    """The record's part.

    Args:
        spec: a trial that asks for it.
        adapted: the trained model, on the device.

    Raises:
        SpecError: the text cannot be read.
        ValueError: a perplexity is too large for a number, or nothing was right before.
    """
    return _perplexities(spec, adapted) if spec.writes else _accuracies(spec, adapted)


def again(spec: TrialSpec, adapted: Adapted, trained: bool) -> Forgetting:
    """The same of a trial that has its record.

    Raises:
        SpecError: what was trained is gone.
    """
    if not trained:
        raise SpecError("what was trained was not kept, and a model as new forgot nothing: train again.")
    return measure(spec, adapted)


def _perplexities(spec: TrialSpec, adapted: Adapted) -> Forgetting:
    text = general(source(spec), (spec.costs or CostSettings()).forgetting_texts)
    form = prompted.form(spec, adapted.max_input_length)
    longest = min(LONGEST, adapted.max_input_length or LONGEST)
    rows = read(form, text.texts, longest)
    assert rows.targets is not None
    tokens = rows.targets.lengths
    after = nats(adapted.model.eval(), rows, form, _ROWS)
    with adapted.disabled() as base:
        before = nats(base, rows, form, _ROWS)
    was, now = (_perplexity(losses.sum() / tokens.sum()) for losses in (before, after))
    low, high = interval(after - before, tokens, np.random.default_rng(spec.seed))
    return Forgetting(
        measure="perplexity",
        text=text.name,
        text_sha256=text.sha256,
        texts=len(rows),
        tokens=int(tokens.sum()),
        longest=longest,
        before=was,
        after=now,
        ratio=now / was,
        ratio_low=min(low, now / was),
        ratio_high=max(high, now / was),
    )


def _accuracies(spec: TrialSpec, adapted: Adapted) -> Forgetting:
    task = tasks.get(source(spec))
    found = elsewhere.answers(spec.model, task, adapted)
    before, after = float(found.before.mean()), float(found.after.mean())
    if not before:
        raise ValueError(f"a head on the untouched base is right on no text of {task.name}.")
    rng = np.random.default_rng(spec.seed)
    drawn = rng.integers(0, len(found.before), size=(_RESAMPLES, len(found.before)))
    was, now = (each[drawn].sum(axis=1) for each in (found.before, found.after))
    low, high = np.percentile(now / np.maximum(was, 1), [2.5, 97.5])
    return Forgetting(
        measure="accuracy",
        text=task.name,
        text_sha256=batches.load(task, None).sha256,
        texts=len(found.before),
        tokens=None,
        longest=found.longest,
        before=before,
        after=after,
        ratio=after / before,
        ratio_low=min(float(low), after / before),
        ratio_high=max(float(high), after / before),
    )


def read(form: Form, texts: tuple[str, ...], longest: int) -> Prompted:
    """Texts as rows whose first token is the prompt and all others are predicted; none of a single token."""
    found = form.tokenizer(list(texts), truncation=True, max_length=longest, verbose=False)["input_ids"]
    plain = [ids[:-1] if ids and ids[-1] == form.end else ids for ids in found]
    kept = [ids for ids in plain if len(ids) > 1]
    none = np.zeros(len(kept), bool)
    return Prompted(Ragged.of(ids[:1] for ids in kept), Ragged.of(ids[1:] for ids in kept), none, none)


def interval(change: np.ndarray, tokens: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The 95 % bootstrap interval over texts of the ratio of two perplexities.

    Args:
        change: what each text lost, in nats.
        tokens: how many of each are predicted.
        rng: draws the texts.
    """
    drawn = rng.integers(0, len(change), size=(_RESAMPLES, len(change)))
    means = change[drawn].sum(axis=1) / tokens[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return _perplexity(low), _perplexity(high)


def _perplexity(mean: float) -> float:
    """Of a mean loss in nats.

    Raises:
        ValueError: it is no number that a record holds.
    """
    if not mean < math.log(_MOST):  # what is not a number is not below either
        raise ValueError(f"the mean loss on general text is {mean:.3g} nats: its perplexity is no number.")
    return math.exp(mean)
