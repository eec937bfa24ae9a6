"""The calls that a method adds to a pass: found, made again, and timed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import methods
from runners.measure import kernels, pace
from runners.plan.contenders import Choice

CPU = torch.device("cpu")
HEAVY = {"did", "said"}
"""They add hundreds of calls, and are not timed one by one."""


@pytest.fixture(scope="module")
def track(tiny_model):
    return pace.Track(tiny_model, 2)


class Plus(nn.Module):
    def __init__(self, inner: nn.Module, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.inner, self.down, self.up = inner, down, up

    def forward(self, x):
        x = self.inner(x)
        return x + self.up(torch.relu(self.down(x)))


def test_what_is_beyond_the_base_is_what_was_added_and_nothing_else():
    inner, x = nn.Linear(6, 6), torch.ones(2, 6)
    with_more = Plus(inner, nn.Linear(6, 3), nn.Linear(3, 6))
    base, more = kernels.trace(lambda: inner(x)), kernels.trace(lambda: with_more(x))
    assert not base.beyond(more)
    assert sum(more.beyond(base).values()) == 4
    assert more.modules - base.modules == 3
    shapes = {call.positional[1].shape for call in more.beyond(base) if len(call.positional) == 3}
    assert shapes == {(3, 6), (6, 3)}


def test_a_pass_beside_itself_costs_the_same():
    inner, x = nn.Linear(6, 6), torch.ones(2, 6)
    base = kernels.trace(lambda: inner(x))
    costs = kernels.measure(lambda: inner(x), base, [base], CPU, rounds=2)
    assert costs.calls == {}
    assert costs.ratio(base, base) == 1


def test_what_was_not_timed_has_no_ratio():
    inner, x = nn.Linear(6, 6), torch.ones(2, 6)
    base, other = kernels.trace(lambda: inner(x)), kernels.trace(lambda: torch.relu(inner(x)))
    costs = kernels.measure(lambda: inner(x), base, [], CPU, rounds=1)
    assert costs.ratio(base, other) is None


def test_every_call_that_a_method_adds_can_be_made_again(track):
    inputs = track.inputs(2, 8)
    track.model.eval()
    base = kernels.trace(lambda: track.model(**inputs))
    for name in methods.names():
        adapted = methods.apply(track.model, name)
        changes = adapted.changes_the_forward_pass
        traced = kernels.trace(lambda model=adapted.model: model(**inputs))
        adapted.remove()
        calls = traced.beyond(base) + base.beyond(traced)
        assert bool(calls) == changes, name
        if name not in HEAVY:
            assert len(calls) <= kernels.MOST_CALLS
            with torch.inference_mode():
                for call in calls:
                    call.made(CPU)()
    assert kernels.trace(lambda: track.model(**inputs)) == base


def test_methods_are_told_as_ratios_and_leave_the_model_as_it_was(track):
    before = {name: value.clone() for name, value in track.model.state_dict().items()}
    found = track.ratios(1, 8, [Choice(name, name, {}) for name in ("lora", "pfeiffer", "did")]).ratios
    assert found["did"] is None
    assert found["lora"] > 1
    assert found["pfeiffer"] > 1
    after = track.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_ratios_of_passes_that_vary_mean_nothing_and_say_so():
    for low, high, steady in ((0.95, 1.05, True), (0.7, 1.4, False)):
        costs = kernels.Costs(run=1.0, calls={}, module=0.0, low=low, high=high)
        passes = pace.Passes({"lora": 1.1}, costs)
        assert costs.steady == steady
        assert (passes.busy is None) == steady
    assert "700.0 ms or more than 1,400.0 ms" in passes.busy


def test_time_is_the_threads_own_where_one_computes():
    assert pace.nanoseconds(CPU).__name__ == "thread_time_ns"
