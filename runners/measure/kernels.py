"""What a method adds to a pass of a model, call by call, and how long these calls take on this machine.

A model is run once without and once with a method, on the sizes in question, and every call of a torch
function is written down with the shapes of what it takes (``TorchFunctionMode``). Most calls are in both.
Those in one alone are what the method adds or takes away: small products, sums, an attention with more keys.
Each of these is made anew by itself and timed beside the model's own pass, so that what slows the machine
slows both. Then

    ratio = 1 + (seconds of calls added - seconds of calls taken away + c * modules added) / seconds of a pass

with ``c`` what it costs to call a module at all. In a model a call finds the caches as other calls have left
them. So here they are made one after another in a new order every round, once each, and the weights of one
that comes several times in a pass are as many tensors, which take turns: repeated by itself a call takes
half the time or less.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from runners.device import synchronize

Clock = Callable[[], int]
"""Nanoseconds."""

ROUNDS: Final = 30
MOST_SPREAD: Final = 0.2
"""Of the middle half of the model's own passes, as a share of their median: more says that others took the
cores, which slows what is large and computed by several threads more than what is small."""
MOST_COPIES: Final = 16
"""Of the weights of a call."""
MOST_CALLS: Final = 150
"""Different calls of a method, beyond which they are not timed one by one."""


@dataclass(frozen=True)
class Shaped:
    """A tensor without its values."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    weight: bool
    """Whether it is a parameter."""

    @classmethod
    def of(cls, tensor: Tensor) -> Shaped:
        """Of a tensor."""
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, isinstance(tensor, nn.Parameter))

    def made(self, device: torch.device) -> Tensor:
        """One like it: ones, as repeated updates in place of others would end in denormal numbers."""
        made = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=device)
        return made.fill_(1) if self.dtype.is_floating_point else made.zero_()


@dataclass(frozen=True)
class Call:
    """A call of a torch function."""

    function: Any
    positional: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]

    def made(self, device: torch.device) -> Callable[[], object]:
        """The call, with tensors of its own."""
        args = _tensors(self.positional, device)
        kwargs = {name: _tensors(value, device) for name, value in self.named}
        return lambda: self.function(*args, **kwargs)


@dataclass(frozen=True)
class Pass:
    """What a forward pass is made of."""

    calls: Counter[Call]
    modules: int
    """Calls of modules."""

    def beyond(self, other: Pass) -> Counter[Call]:
        """The calls that the other has not, or fewer times."""
        return self.calls - other.calls


def trace(run: Callable[[], object]) -> Pass:
    """Write down the calls of what is run, without gradients."""
    recorder, modules = _Recorder(), [0]

    def count(module: nn.Module, inputs: object) -> None:
        modules[0] += 1

    hook = register_module_forward_pre_hook(count)
    try:
        with torch.inference_mode(), recorder:
            run()
    finally:
        hook.remove()
    return Pass(recorder.found, modules[0])


@dataclass(frozen=True)
class Costs:
    """Seconds on this machine."""

    run: float
    """Of a pass of the model as it is."""
    calls: Mapping[Call, float]
    module: float
    """Of a call of a module that does nothing."""
    low: float
    """A quarter of the model's own passes were faster."""
    high: float
    """A quarter of them were slower."""

    @property
    def steady(self) -> bool:
        """Whether the machine let the model's own passes take about as long each time."""
        return self.high - self.low <= MOST_SPREAD * self.run

    def ratio(self, base: Pass, adapted: Pass) -> float | None:
        """The time of an adapted pass beside the base's; None where a call was not timed, or cannot be."""
        more, less = adapted.beyond(base), base.beyond(adapted)
        if not (more.keys() | less.keys()) <= self.calls.keys():
            return None
        seconds = sum(number * self.calls[call] for call, number in more.items())
        seconds -= sum(number * self.calls[call] for call, number in less.items())
        seconds += self.module * (adapted.modules - base.modules)
        return 1 + seconds / self.run


def measure(
    run: Callable[[], object],
    base: Pass,
    adapted: Sequence[Pass],
    device: torch.device,
    *,
    rounds: int = ROUNDS,
    clock: Clock = time.perf_counter_ns,
) -> Costs:
    """Time a pass of the model as it is, and each call that any of some adapted passes has more or fewer of.

    Args:
        run: a pass of the model as it is.
        base: of which calls it is made.
        adapted: passes of the model with each of some methods.
        device: where they run.
        rounds: in each of which everything is timed once.
        clock: tells nanoseconds.
    """
    times: Counter[Call] = Counter()
    for one in adapted:
        found = one.beyond(base) | base.beyond(one)
        times |= found if len(found) <= MOST_CALLS else Counter()
    rng = random.Random(0)
    with torch.inference_mode():
        copies: dict[Call | None, Iterator[Callable[[], object]]]
        copies = {call: _copies(call, number, device) for call, number in times.items()}
        copies[None] = itertools.cycle([partial(_Nothing(), None)])
        run()  # the first of its kind picks kernels
        copies = {call: made for call, made in copies.items() if _runs(made)}
        passes, nothing = list[int](), list[int]()
        seconds: dict[Call | None, list[int]] = {call: [] for call in copies}
        for _ in range(rounds):
            run()
            passes.append(_timed(run, clock, device))
            nothing.append(_timed(_nothing, clock, device))
            keys = list(copies)
            rng.shuffle(keys)  # each finds the machine as other work has left it
            for call in keys:
                seconds[call].append(_timed(next(copies[call]), clock, device))
    own = statistics.median(nothing)
    alone = {call: max(0.0, statistics.median(many) - own) / 1e9 for call, many in seconds.items()}
    return Costs(
        run=statistics.median(passes) / 1e9,
        calls={call: value for call, value in alone.items() if call is not None},
        module=alone[None],
        low=float(np.percentile(passes, 25)) / 1e9,
        high=float(np.percentile(passes, 75)) / 1e9,
    )


class _Recorder(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[Call] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") != "__get__":  # a shape, a dtype: nothing to compute
            named = tuple(sorted((name, _plain(value)) for name, value in (kwargs or {}).items()))
            self.found[Call(func, _plain(args), named)] += 1
        return func(*args, **(kwargs or {}))


class _Nothing(nn.Module):
    def forward(self, x: object) -> object:
        return x


def _plain(value: Any) -> Any:
    """The same with descriptions for tensors; what cannot be a key is its name, and never made again."""
    if isinstance(value, Tensor):
        return Shaped.of(value)
    if isinstance(value, list | tuple):
        return tuple(_plain(one) for one in value)
    if isinstance(value, slice):
        return slice, value.start, value.stop, value.step
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _tensors(value: Any, device: torch.device) -> Any:
    if isinstance(value, Shaped):
        return value.made(device)
    if isinstance(value, tuple):
        if value[:1] == (slice,):
            return slice(*value[1:])
        return tuple(_tensors(one, device) for one in value)
    return value


def _runs(made: Iterator[Callable[[], object]]) -> bool:
    """Whether a call can be made again: one that takes what is no tensor, number or word may not."""
    try:
        next(made)()
    except torch.OutOfMemoryError:
        raise
    except Exception:  # whatever a torch function ends in that was given something else
        return False
    return True


def _copies(call: Call, number: int, device: torch.device) -> Iterator[Callable[[], object]]:
    """The call again and again, with as many sets of tensors as it comes times in a pass."""
    return itertools.cycle([call.made(device) for _ in range(min(number, MOST_COPIES))])


def _nothing() -> None:
    pass


def _timed(call: Callable[[], object], clock: Clock, device: torch.device) -> int:
    synchronize(device)
    started = clock()
    call()
    synchronize(device)
    return clock() - started
