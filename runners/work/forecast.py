"""What a study will take on this machine, before anything runs: see :mod:`runners.plan.forecast`.

Data are read and turned into tokens, which tells how many tokens a batch has; models are built without
weights, which tells FLOPs and memory. Then the machine is asked: the rates of products and of memory, and of
each model a few training steps of two of the study's methods, at the sizes of the study.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import torch

import methods
from methods import MethodError
from runners import device, environment, models
from runners.measure import flops, machine
from runners.measure import forecast as speed
from runners.measure.footprint import Setting, Workbench
from runners.measure.forecast import Clock, Rates
from runners.models import ModelError
from runners.numerics import Numerics
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.forecast import Forecast, Load, Machine, Row, summed
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials.prompted import settings
from runners.work import reading, shelf, timed, todo
from runners.work.planned import Planned
from runners.work.reading import Shape
from runners.work.todo import Key, Leg, Todo

Told = Callable[[str], None]


def forecast(
    study: Study,
    folder: Path,
    *,
    quick: bool = False,
    retry: bool = False,
    at_most: bool = False,
    told: Told = lambda line: None,
    clock: Clock = time.perf_counter,
) -> Forecast:
    """Forecast what is missing of a study.

    Args:
        study: as for :func:`runners.work.execute.run_study`; its searches need not be done.
        folder: where its records are, if there are any.
        quick: no training step is timed.
        retry: what failed or ran out of memory is run again.
        at_most: the study may turn out to need fewer trials.
        told: is told what is being done.
        clock: tells the seconds of what is timed.

    Raises:
        DataError, ModelError: data or a model cannot be read; one sentence.
    """
    return _Forecaster(todo.of(study, folder, retry), quick, told, clock).run(at_most)


@dataclass
class _Forecaster:
    """One forecast."""

    rows: dict[Key, Todo]
    quick: bool
    told: Told
    clock: Clock
    assumed: dict[str, None] = field(default_factory=dict)
    peaks: dict[tuple[Setting, str, str], int | None] = field(default_factory=dict)
    known: set[Group] = field(default_factory=set)
    """Models beside which the machine's rates are already planned to be measured."""

    def run(self, at_most: bool) -> Forecast:
        accelerator = device.accelerator()
        where = accelerator.device
        on_cores = where.type == "cpu"
        began = self.clock()
        self.told("Reading data ...")
        planned = {key: self._planned(row) for key, row in self.rows.items()}
        start = self.clock() - began
        resident = psutil.Process().memory_info().rss if on_cores else 0
        free = device.available_bytes(where)
        for row in planned.values():
            if row.todo.missing:
                row.peak_bytes = self._peak(row)
        rates = {
            known: self._rates([row for row in planned.values() if _group(row) == known], free)
            for known in dict.fromkeys(map(_group, planned.values()))
        }
        threads = torch.get_num_threads()
        cores = max(threads, environment.cores() or threads)
        here = machine.measure(where)
        found = [self._row(key, row, rates[_group(row)], here) for key, row in planned.items()]
        return Forecast(
            rows=[row for row, _ in found],
            load=Load(
                searches=[one.chain for _, one in found if one.chain],
                trials=[seconds for _, one in found for seconds in one.trials],
                costs=[seconds for _, one in found for seconds in one.costs],
                start=start,
            ),
            machine=Machine(cores, threads, device.devices(), free, resident),
            record_bytes=shelf.RECORD_BYTES,
            at_most=at_most,
            assumed=tuple(self.assumed),
        )

    def _planned(self, row: Todo) -> Planned:
        spec = row.like
        skeleton = (
            models.writing_skeleton(spec.model)
            if spec.writes
            else models.skeleton(spec.model, spec.declared.num_labels, tagged=spec.declared.is_tagged)
        )
        adapted = methods.apply(skeleton, spec.method, **spec.options)
        return Planned(row, adapted, reading.of(spec, adapted))

    def _peak(self, row: Planned) -> int | None:
        """Of a training; None, with the reason among what is assumed, where it cannot be predicted."""
        spec, longest = row.like, row.of.longest
        whole = Setting(
            model=spec.model,
            batch_size=longest.rows,
            sequence_length=longest.length,
            objective=_objective(spec),
            num_labels=spec.declared.num_labels,
            stored=spec.protocol.numerics,
            micro_batch=min(spec.protocol.micro_batch or longest.rows, longest.rows),
        )
        if spec.writes:
            told = (
                "The memory of a model that writes is that with logits for every token: more than it takes."
            )
            self.assumed[told] = None
        asked = whole, spec.method, str(spec.options)
        if asked not in self.peaks:
            self.told(f"{spec.task} / {spec.method}: memory ...")
            try:
                found = Workbench(whole, "predicted").footprint(spec.method, spec.options)
                self.peaks[asked] = found.peak_training_bytes + found.best_weights_bytes
            except (SpecError, ModelError) as error:
                self.assumed[f"No memory is told for some trials: {error}"] = None
                self.peaks[asked] = None
        return self.peaks[asked]

    def _rates(self, rows: Sequence[Planned], free: int) -> Rates:
        """How fast one model is here, by steps of the methods that train the most and the least of it."""
        here = machine.measure(device.local(), dtype=rows[0].like.protocol.numerics.computed_in)
        missing = [row for row in rows if row.todo.left and (row.peak_bytes or 0) <= free]
        if self.quick or not missing:
            if any(row.todo.left for row in rows):
                self.assumed["No step was timed: times are a guess within a factor of two."] = None
            return speed.guessed(here)
        most = max(missing, key=lambda row: len(row.todo.missing) * _training_flops(row))
        alike = [row for row in missing if row.like.task == most.like.task]
        alike.sort(key=lambda row: (round(row.backward_share, 2), row.trained_bytes))
        through = [row for row in alike if row.backward_share > 0.8] or alike
        chosen = list({id(row): row for row in (through[0], through[-1])}.values())
        names = " and ".join(row.like.method for row in chosen)
        told = f"{most.like.model}: {timed.STEPS} steps of {names} on {most.like.task} were timed."
        timing = timed.timed(chosen, _length, self.told, self.clock)
        self.assumed |= dict.fromkeys([told, *timing.assumed])
        base = min(timing.taken, key=lambda one: one.once)
        steps = [one.steps for one in timing.taken]
        found = speed.rates_of(steps, base.scoring, base.once, timing.load, here.bytes_per_second)
        return replace(found, written=base.written, next_token=base.next_token)

    def _row(self, key: Key, row: Planned, rates: Rates, here: machine.Machine) -> tuple[Row, _Seconds]:
        spec, left = row.like, row.todo
        parts = {leg: self._stages(leg, row, rates) for leg in left.legs}
        examples = sum(self._steps(leg, row) * row.of.training.rows for leg in left.legs)
        widening = row.flops(1, _length(row)).forward_flops / max(1, self._base(row))
        method = speed.Deployed(
            longest=row.asks(row.of.longest),
            widening=widening,
            mergeable=methods.get(spec.method).mergeable,
            stored_bytes=row.adapted.stored_bytes(),
            writes=spec.writes,
        )
        costs = [
            speed.costs(one.costs or CostSettings(), rates, here.bytes_per_second, method)
            for one in left.costs
        ]
        if costs and _group(row) not in self.known:
            self.known.add(_group(row))
            costs[0] += speed.MACHINE_SECONDS * min(2, torch.get_num_threads())
        seconds = {leg: sum(stages.values()) for leg, stages in parts.items()}
        planned = Row(
            model=key[0],
            task=key[1],
            method=key[2],
            settings=left.settings,
            trials=left.trials,
            missing=len(left.missing),
            reported=len(left.reported),
            examples=examples,
            seconds=summed([*parts.values(), {"costs": sum(costs)}]),
            peak_bytes=row.peak_bytes,
            checkpoint_bytes=row.adapted.stored_bytes(),
            trained_bytes=row.trained_bytes,
        )
        chain = [[seconds[leg] for leg in stage] for stage in left.search]
        return planned, _Seconds(chain, [seconds[Leg(spec)] for spec in left.reported], costs)

    def _steps(self, leg: Leg, row: Planned) -> int:
        """Optimiser steps of a training."""
        return (leg.until or reading.of(leg.spec, row.adapted).steps) - leg.since

    def _stages(self, leg: Leg, row: Planned, rates: Rates) -> dict[str, float]:
        """Seconds of one training and its scores, without costs."""
        read = reading.of(leg.spec, row.adapted)
        steps, last = self._steps(leg, row), leg.until or read.steps
        evaluations = sum(leg.since < step <= last for step in read.evaluate_at)
        reported = () if leg.spec.search else (read.report, *read.further)
        scored = sum(self._scored(shape, row, rates) for shape in reported)
        if read.written:
            told = f"Every batch of texts is taken to be written to the limit of {read.written} tokens."
            self.assumed[told] = None
        step, training = row.asks(read.training), 0.0
        once = self._scored(read.selection, row, rates)
        again = once
        if front := row.front_share(read):  # computed once for each row, see runners/trials/frozen.py
            batches_once = min(last, read.steps) / read.steps * read.distinct / read.training.rows
            training = batches_once * rates.evaluation(round(front * step.forward))
            step = replace(step, forward=round((1 - front) * step.forward))
            again = (1 - front) * once
        return {
            "loading": rates.load,
            "training": training + steps * rates.training(step),
            "evaluation": once + (evaluations - 1) * again if evaluations else 0.0,
            "scoring": scored,
        }

    def _scored(self, shape: Shape, row: Planned, rates: Rates) -> float:
        first = rates.evaluation(row.asks(shape).forward)
        if not row.of.written:
            return shape.batches * first
        widening = row.flops(1, _length(row)).forward_flops / max(1, self._base(row))
        each = rates.written
        if not each:  # every weight is read for each token, or multiplied with those of all texts
            rows = shape.rows * settings(row.like).beams
            each = max(rates.evaluation(row.flops(rows, 1).forward_flops), rates.once)
        return shape.batches * (first + (row.of.written - 1) * each * widening)

    def _base(self, row: Planned) -> int:
        """FLOPs of one input of a latency's length in the model as it is."""
        try:
            _, whole = flops.closed(row.adapted, 1, _length(row))
        except MethodError:
            return row.flops(1, _length(row)).forward_flops
        return whole.forward_flops


@dataclass(frozen=True)
class _Seconds:
    """What a row takes, trial by trial."""

    chain: Sequence[Sequence[float]]
    trials: Sequence[float]
    costs: Sequence[float]


Group = tuple[str, Numerics, bool, int]
"""What has rates of its own: a model, its numbers, whether it writes, and with how many beams."""


def _group(row: Planned) -> Group:
    spec = row.like
    beams = settings(spec).beams if row.of.written else 0
    return spec.model, spec.protocol.numerics, spec.writes, beams


def _objective(spec: TrialSpec) -> str:
    """What memory is predicted for; of a model that writes it is that of logits for every token."""
    if spec.writes:
        return "language-modeling"
    return "token-classification" if spec.declared.is_tagged else "classification"


def _training_flops(row: Planned) -> float:
    asks = row.asks(row.of.training)
    return row.of.training.batches * (asks.forward + asks.backward)


def _length(row: Planned) -> int:
    """Of the input that latency is measured on."""
    asked = row.like.costs or CostSettings()
    length = asked.decoding_prompt if row.like.writes else asked.latency_length
    return min(length, row.adapted.max_input_length or length)
