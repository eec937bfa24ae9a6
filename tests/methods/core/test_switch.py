"""One base, many tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import Checkpoint
from methods.core.injection import Injection
from methods.core.task_parameters import TaskParameters

from ..cells import apply, equal, perturb, state
from ..conftest import logits, text, tiny


def trained(name: str, seed: int, architecture: str = "bert", **options: Any) -> Checkpoint:
    """A checkpoint with random tensors."""
    adapted = methods.apply(tiny(architecture), name, **options)
    torch.manual_seed(seed)
    for parameter in adapted.trained().values():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return adapted.checkpoint()


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_a_switch_is_a_load(name: str, architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    perturb(adapted)
    here, batch = adapted.checkpoint(), text(model)
    before = logits(model, batch)
    other = tiny(architecture)
    torch.manual_seed(3)
    there = apply(other, name)
    for parameter in there.trained().values():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    adapted.switch(there.checkpoint())
    assert torch.equal(logits(model, batch), logits(other, batch))
    adapted.switch(here.write(tmp_path))
    assert torch.equal(logits(model, batch), before)
    adapted.remove()
    assert equal(state(model), state(tiny(architecture)))


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "gpt_neox"])
@pytest.mark.parametrize("name", ["lora", "dora", "ia3"])
def test_merged_stays_merged(name: str, architecture: str) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    other = tiny(architecture)
    there = apply(other, name)
    perturb(there)
    adapted.merge()
    adapted.switch(there.checkpoint())
    assert adapted.merged
    there.merge()
    assert equal(state(model), state(other))  # not a bit of the task before is left


def test_ten_thousand_switches_leave_the_base_as_it_was() -> None:
    model = tiny("bert")
    before, batch = state(model), text(model)
    tasks = [trained("lora", seed, rank=2) for seed in range(3)]
    adapted = methods.apply(model, "lora", rank=2)
    adapted.merge()
    adapted.switch(tasks[0])
    first = logits(model, batch)
    for number in range(10_000):
        adapted.switch(tasks[number % 3])
    adapted.switch(tasks[0])
    assert torch.equal(logits(model, batch), first)
    adapted.remove()
    assert equal(state(model), before)


def test_adding_and_subtracting_would_drift() -> None:
    """Why the base is kept: the paper's W - B A + B' A' does not come back."""
    torch.manual_seed(0)
    weight = torch.randn(32, 32)
    updates = [torch.randn(32, 2) @ torch.randn(2, 32) for _ in range(2)]
    drifted = weight.clone()
    for _ in range(1_000):
        for update in updates:
            drifted.add_(update).sub_(update)
    assert not torch.equal(drifted, weight)


@pytest.mark.parametrize("merged", [True, False])
def test_options_may_differ(merged: bool) -> None:
    model = tiny("bert")
    adapted = methods.apply(model, "lora", rank=2)
    if merged:
        adapted.merge()
    other = trained("lora", 4, rank=5, alpha=3, target="key,down", rank_stabilized=True)
    adapted.switch(other)
    assert adapted.options.rank == 5  # type: ignore[attr-defined]
    assert adapted.merged == merged
    expected = tiny("bert")
    loaded = methods.apply(expected, "lora", **other.options)
    loaded.take(other)
    if merged:
        loaded.merge()
    assert torch.equal(logits(model, text(model)), logits(expected, text(model)))
    adapted.remove()
    assert equal(state(model), state(tiny("bert")))


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: trained("ia3", 1), "holds ia3, the model lora"),
        (lambda: trained("lora", 1, "electra", rank=2), "was trained on electra"),
        (lambda: trained("lora", 1, "electra", rank=7), "was trained on electra"),
        (lambda: trained("lora", 1, "gpt2", rank=2), "was trained on gpt2"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_lost(merged: bool, other: Any, words: str) -> None:
    model = tiny("bert")
    adapted = methods.apply(model, "lora", rank=2)
    perturb(adapted)
    if merged:
        adapted.merge()
    before = state(model)
    with pytest.raises(methods.MethodError, match=words):
        adapted.switch(other())
    assert equal(state(model), before)
    assert (adapted.merged, adapted.options.rank) == (merged, 2)  # type: ignore[attr-defined]


BROKEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("prefix", {"length": 4, "hidden": 6}, {"length": 5, "hidden": None}),
    ("lora", {"rank": 2}, {"rank": 5}),
    ("lora", {"rank": 2}, {"rank": 2}),
    ("houlsby", {"bottleneck": 5}, {"bottleneck": 3}),  # trains norms of the base too
    ("top_layers", {"layers": 1}, {"layers": 2}),
    ("prompt", {"length": 3}, {"length": 4}),
    ("did", {"dimension": 20}, {"dimension": 30}),
]
"""A method, its options, and those of what it is switched to."""
WHERE = {"inject": None, "take": TaskParameters, "fold": Injection}
"""What is called on the way, and on what; None: on the method."""
FAILS = [
    (*case, call)
    for case in BROKEN
    for call in WHERE
    if (call != "inject" or case[1] != case[2]) and (call != "fold" or methods.get(case[0]).mergeable)
]


@pytest.mark.parametrize(("name", "options", "others", "call"), FAILS)
def test_a_switch_that_fails_keeps_what_was_there(
    name: str, options: dict[str, Any], others: dict[str, Any], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what a checkpoint leaves out, and an optimiser goes on with the same parameters."""
    model = tiny("bert")
    adapted = methods.apply(model, name, **options)
    perturb(adapted)
    merged = call == "fold"
    if merged:
        adapted.merge()
    before, batch, parameters = state(model), text(model), adapted.trained()
    expected, told = logits(model, batch), (adapted.options, adapted.parameter_counts())
    there = trained(name, 4, **others)
    with monkeypatch.context() as patch:
        holder = WHERE[call] or type(adapted.method)
        patch.setattr(holder, call, fails_once(getattr(holder, call)))
        with pytest.raises(torch.OutOfMemoryError):
            adapted.switch(there)
    assert adapted.merged == merged
    assert equal(state(model), before)
    assert torch.equal(logits(model, batch), expected)
    assert (adapted.options, adapted.parameter_counts()) == told
    assert all(p is parameters[n] and p.requires_grad for n, p in adapted.trained().items())
    adapted.switch(there)  # and it goes another time
    adapted.remove()
    assert equal(state(model), state(tiny("bert")))


def fails_once(function: Any) -> Any:
    """A function that runs out of memory when it is first called."""
    calls: list[int] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("no memory")
        return function(*args, **kwargs)

    return call


def test_what_is_kept_while_merged_is_told() -> None:
    adapted = methods.apply(tiny("bert"), "lora", rank=2)
    assert adapted.kept_bytes == 0
    adapted.merge()
    assert adapted.kept_bytes == 4 * sum(
        site.linear().weight.numel() for role in ("query", "value") for site in adapted.anatomy.sites(role)
    )
    adapted.unmerge()
    assert adapted.kept_bytes == 0
