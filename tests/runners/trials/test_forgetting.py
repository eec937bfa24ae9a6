"""What a model forgets: perplexity of the same tokens, with the method and without."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.trials import adapting, batches, elsewhere, forgetting
from tests.methods.cells import perturb
from tests.runners.folders import writer

TEXTS = [" ".join(f"t{40 + (7 * row + place) % 30}" for place in range(4 + row % 5)) for row in range(14)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return writer(tmp_path_factory.mktemp("llama"), "llama")


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("text") / "general.txt"
    file.write_text("\n\n".join(TEXTS), encoding="utf-8")
    return str(file)


def spec(model: str, method: str, forgetting: str | None, **changes: Any) -> TrialSpec:
    given = {"model": model, "task": "e2e", "method": method, "protocol": {"generation": {"longest": 6}}}
    costs = {"forgetting": forgetting, "forgetting_texts": 12}
    return TrialSpec(**{**given, "costs": costs, **changes})


@pytest.mark.parametrize("method", ["lora", "prompt", "full"])
def test_the_same_tokens_are_read_before_and_after(model: str, general: str, method: str) -> None:
    asked = spec(model, method, general)
    adapted = adapting.adapt(asked, asked.declared)
    new = forgetting.measure(asked, adapted)
    if method != "prompt":  # which changes the function from the start
        assert (new.ratio, new.ratio_low, new.ratio_high) == (1, 1, 1)
    perturb(adapted, 0.5)
    found = forgetting.measure(asked, adapted)
    assert found.before == new.before
    assert found.after != new.after
    assert found.texts == 12
    assert found.ratio_low < found.ratio < found.ratio_high
    assert found.ratio == pytest.approx(found.after / found.before)

    total, tokens = 0.0, 0
    for text in TEXTS[:12]:
        ids = torch.tensor([[int(word[1:]) for word in text.split()]])
        with torch.no_grad():
            logits = adapted.model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
        total -= logits.gather(1, ids[0, 1:, None]).sum().item()
        tokens += ids.shape[1] - 1
    assert found.tokens == tokens
    assert found.after == pytest.approx(math.exp(total / tokens), rel=1e-5)


@pytest.mark.parametrize("method", ["lora", "prompt"])
def test_a_head_that_knew_the_base_reads_the_tuned_model(
    tiny_model: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts' label is told by a state of the base; what moves the states costs the head answers."""
    monkeypatch.setattr(elsewhere, "FITTED", 120)
    monkeypatch.setattr(elsewhere, "SCORED", 60)
    asked = spec(tiny_model, method, "rotten_tomatoes", task="cola", protocol={"max_length": 16})
    adapted = adapting.adapt(asked, asked.declared)
    new = forgetting.measure(asked, adapted)
    if method == "lora":
        assert (new.ratio, new.ratio_low, new.ratio_high) == (1, 1, 1)
    assert (new.measure, new.text, new.texts, new.tokens) == ("accuracy", "rotten_tomatoes", 60, None)
    perturb(adapted, 3.0)
    found = forgetting.measure(asked, adapted)
    assert found.before == new.before
    assert found.ratio == pytest.approx(found.after / found.before)
    assert found.ratio_low <= found.ratio <= found.ratio_high

    split = batches.encode(tiny_model, "rotten_tomatoes", None, split="report", max_length=128)
    split = split.part(range(60))
    tuned, labels = elsewhere.states(tiny_model, adapted, split)
    with adapted.disabled():
        base, again = elsewhere.states(tiny_model, adapted, split)
    assert (labels == again).all()
    assert not np.allclose(tuned, base)
    row = batches.longest_first(split)[0]
    with adapted.disabled(), torch.no_grad():
        ids = torch.tensor([split[row]["input_ids"]])
        alone = adapted.model.base_model(input_ids=ids)[0][0].mean(dim=0)
    assert np.allclose(base[0], alone.numpy(), atol=1e-5)


def test_a_head_is_the_least_squares_of_its_labels() -> None:
    rng = np.random.default_rng(1)
    own, labels = rng.standard_normal((80, 5)), rng.integers(0, 3, 80)
    head = elsewhere.fitted(own, labels, 3)
    residual = np.eye(3)[labels] - elsewhere.with_one(own) @ head
    assert np.allclose(residual.sum(axis=0), 0)  # the constant is free
    assert np.allclose(own.T @ residual, elsewhere.RIDGE * 80 * own.var(axis=0).mean() * head[:-1])


def test_the_interval_goes_over_texts_in_pairs() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(20, 120, 60)
    low, high = forgetting.interval(0.1 * tokens, tokens, rng)  # every text lost the same
    assert low == pytest.approx(math.exp(0.1))
    assert high == pytest.approx(math.exp(0.1))
    change = tokens * (0.1 + 0.05 * rng.standard_normal(60))
    low, high = forgetting.interval(change, tokens, rng)
    weights = tokens / tokens.mean()
    half = 1.96 * np.std(weights * (change / tokens - change.sum() / tokens.sum())) / math.sqrt(60)
    assert math.log(high / low) == pytest.approx(2 * half, rel=0.1)
    with pytest.raises(ValueError, match="its perplexity is no number"):
        forgetting.interval(np.full(60, 1e5), tokens, rng)


def test_only_a_causal_model_that_writes_is_asked(
    model: str, general: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert forgetting.asked(spec(model, "lora", general))
    pair = writer(tmp_path_factory.mktemp("t5"), "t5")
    for other in (
        spec(model, "lora", None),
        spec(model, "lora", general, costs=None),
        spec(model, "lora", general, search=True),
        spec(pair, "lora", general),
        spec("embedded", "lora", general, task="rotten_tomatoes", protocol={}),
    ):
        assert not forgetting.asked(other)
        forgetting.check(other)
    assert forgetting.asked(spec("embedded", "lora", "imdb", task="rotten_tomatoes", protocol={}))
    assert spec(model, "lora", general).trial_id == spec(model, "lora", None).trial_id


def test_text_that_cannot_be_read_is_one_sentence(model: str, tmp_path: Path) -> None:
    few, binary = tmp_path / "few.txt", tmp_path / "binary.txt"
    few.write_text("one\ntext\n\nand another\n\n\n")
    binary.write_bytes(b"\xff\xfe\x00")
    for source, message in (
        ("imbd", "forgetting=imbd is no file here and no task, .*; did you mean imdb"),
        (str(few), "has 2 texts with empty lines between them, expected 10 or more"),
        (str(binary), "cannot be read as text in UTF-8"),
        ("e2e", "is the task that is trained on"),
    ):
        with pytest.raises(SpecError, match=message):
            forgetting.check(spec(model, "lora", source))


def test_without_what_was_trained_nothing_is_told(model: str, general: str) -> None:
    asked = spec(model, "lora", general)
    adapted = adapting.adapt(asked, asked.declared)
    assert forgetting.again(asked, adapted, trained=True).ratio == 1
    with pytest.raises(SpecError, match="train again"):
        forgetting.again(asked, adapted, trained=False)
