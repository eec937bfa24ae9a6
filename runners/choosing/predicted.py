"""What each method would cost on a model, before anything is trained or any weight is read.

Parameters, checkpoint and FLOPs are from the closed forms; memory is that of real steps on tensors without
memory (``measure/footprint.py``). Times are this machine's: a few steps of two methods on random tokens give
the rates of ``measure/forecast.py``, and the calls that a method adds to a pass are timed one by one
(``measure/kernels.py``). They are measured anew in each process, and kept nowhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import methods
from methods import MethodError
from reports.stats.front import PARAMETERS
from runners import device, models
from runners.choosing.limits import LATENCY, MEMORY, MERGED, STORAGE
from runners.errors import ModelError
from runners.measure import counting, flops, kept, pace
from runners.measure.capability import abilities
from runners.measure.footprint import Footprint, Setting, Workbench
from runners.measure.forecast import Asks
from runners.measure.pace import Passes
from runners.plan.contenders import Choice
from runners.plan.errors import SpecError

Told = Callable[[str], None]

MANY: Final = "too many calls are added to a pass for each to be timed: see `paretune latency`."

MOST_SHARE: Final = 0.5
"""Of the free memory that the model's weights may take for anything to be timed here."""


@dataclass(frozen=True)
class Sizes:
    """What decides the costs, beside the method."""

    model: str
    batch: int = 32
    length: int = 128
    served: int = 1
    """Inputs at once where latency is told."""
    labels: int = 2


@dataclass(frozen=True)
class Prediction:
    """Of one method; what cannot be told is None, with the reason in ``why_not``."""

    choice: Choice
    base: int = 0
    parameters: int | None = None
    """Trained ones, method and head."""
    method_parameters: int | None = None
    checkpoint_bytes: int | None = None
    memory: Footprint | None = None
    forward_flops: int | None = None
    step_flops: int | None = None
    step_seconds: float | None = None
    """Of a training step here."""
    latency: float | None = None
    """Time of a pass, as a multiple of the untouched base's."""
    merges: bool = False
    busy: bool = False
    """Whether the machine was too busy for times to mean much."""
    cannot: str | None = None
    """Why the model cannot carry it, a sentence."""
    why_not: Mapping[str, str] = field(default_factory=dict)
    """By name of a cost why it is not told."""

    @property
    def costs(self) -> dict[str, float | None]:
        """By the names of ``reports.stats.front``."""
        return {
            PARAMETERS: self.parameters,
            MEMORY: self.memory.peak_training_bytes if self.memory else None,
            STORAGE: self.checkpoint_bytes,
            LATENCY: self.latency,
            MERGED: 1.0 if self.merges else self.latency,
        }


def predict(
    sizes: Sizes, choices: Sequence[Choice], *, timed: bool = True, told: Told = lambda line: None
) -> list[Prediction]:
    """Predict the costs of methods on a model.

    Args:
        sizes: of the model and of what it is given.
        choices: the methods.
        timed: whether the machine is asked for times.
        told: is told what is being done.

    Raises:
        ModelError: the configuration cannot be read.
        MethodError: the model cannot be tried out.
        SpecError: the input is too long for the model itself.
    """
    told("Trying methods out on a small copy ...")
    able = {row["method"]: row["why_not"] for row in abilities(sizes.model)}
    found = [_counted(sizes, choice, able.get(choice.method, {}), told) for choice in choices]
    if timed and any(one.cannot is None for one in found):
        found = _timed(sizes, found, told)
    return found


def _counted(sizes: Sizes, choice: Choice, why_not: Mapping[str, str], told: Told) -> Prediction:
    """All that no clock is needed for."""
    if "train" in why_not:
        return Prediction(choice, cannot=why_not["train"])
    told(f"{choice.label}: memory ...")
    method, options = choice.method, dict(choice.options)
    try:
        _, count = counting.count(sizes.model, method, options, sizes.labels)
        adapted = methods.apply(models.skeleton(sizes.model, sizes.labels), method, **options)
        limit = adapted.max_input_length
        if limit is not None and sizes.length > limit:
            return Prediction(
                choice, count.base, cannot=f"it leaves {limit} of the model's positions to the text."
            )
        step = None
        with contextlib.suppress(MethodError):
            step = adapted.flops(sizes.batch, sizes.length)
        step = step or flops.counted(adapted.model, sizes.batch, sizes.length)
    except MethodError as error:
        return Prediction(choice, cannot=str(error))
    found = Prediction(
        choice=choice,
        base=count.base,
        parameters=count.method + count.head,
        method_parameters=count.method,
        checkpoint_bytes=adapted.stored_bytes(),
        forward_flops=step.forward_flops if step else None,
        step_flops=step.training_step_flops if step else None,
        latency=None if adapted.changes_the_forward_pass else 1.0,
        merges=adapted.method.mergeable and "merge" not in why_not,
    )
    try:
        footprint = _memory(sizes, choice)
    except (SpecError, ModelError) as error:
        return replace(found, why_not={MEMORY: str(error)})
    return replace(found, memory=footprint)


def _memory(sizes: Sizes, choice: Choice) -> Footprint:
    setting = Setting(sizes.model, sizes.batch, sizes.length, num_labels=sizes.labels)
    return kept.footprint(setting, choice.method, dict(choice.options), _bench(setting))


_benches: dict[Setting, Workbench] = {}


def _bench(setting: Setting) -> Callable[[], Workbench]:
    """The workbench, built when it is first asked for."""

    def make() -> Workbench:
        if setting not in _benches:
            _benches.clear()
            _benches[setting] = Workbench(setting, "predicted")
        return _benches[setting]

    return make


def _timed(sizes: Sizes, found: Sequence[Prediction], told: Told) -> list[Prediction]:
    free = device.available_bytes(device.local())
    weights = 4 * max(one.base for one in found)
    if weights > MOST_SHARE * free:
        why = f"its weights take {weights / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free here: not timed."
        return [replace(one, why_not={**one.why_not, "seconds": why, LATENCY: why}) for one in found]
    able = [one for one in found if one.cannot is None]
    track = pace.Track(sizes.model, sizes.labels)
    told("A few training steps ...")
    fits = [one for one in able if one.memory is None or one.memory.peak_training_bytes <= free]
    asks = {one.choice.label: _asks(one) for one in fits}
    steps = track.steps(sizes.batch, sizes.length, [one.choice for one in fits], asks)
    told("Passes, and the calls that methods add ...")
    wanted = [one.choice for one in able if one.latency is None]
    passes = track.ratios(sizes.served, sizes.length, wanted) if wanted else None
    return [_with_times(one, steps, passes) if one.cannot is None else one for one in found]


def _with_times(one: Prediction, steps: Mapping[str, float], passes: Passes | None) -> Prediction:
    label, why, latency = one.choice.label, dict(one.why_not), one.latency
    busy = passes is not None and passes.busy is not None
    if latency is None and passes is not None:
        latency = None if passes.busy else passes.ratios.get(label)
        if latency is None:
            why[LATENCY] = passes.busy or MANY
    return replace(one, step_seconds=steps.get(label), latency=latency, busy=busy, why_not=why)


def _asks(one: Prediction) -> Asks | None:
    if one.forward_flops is None or one.step_flops is None:
        return None
    return Asks(one.forward_flops, one.step_flops - one.forward_flops, 4 * (one.parameters or 0))
