from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Adapted
from reports.records.checks import check_record
from runners.plan.spec import Protocol
from runners.trials import frozen, recall, states
from tests.runners.trials.test_frozen import put, trained


def test_what_an_earlier_trial_computed_is_recalled_to_the_bit(
    monkeypatch: pytest.MonkeyPatch, tiny_model: str, glue_folder: str
) -> None:
    """A second setting passes through the front no more, and is told to have taken as long."""
    passes: list[int] = []
    states_of = frozen.Behind.states_of
    monkeypatch.setattr(
        frozen.Behind, "states_of", lambda self, batch: passes.append(1) or states_of(self, batch)
    )
    monkeypatch.setattr(states, "_RECALL", recall.Recall(0))  # keeps nothing
    alone = trained("head", tiny_model, glue_folder, "cola", learning_rate=0.1)
    monkeypatch.setattr(states, "_RECALL", recall.Recall())
    trained("head", tiny_model, glue_folder, "cola", learning_rate=0.01)
    before = len(passes)
    second = trained("head", tiny_model, glue_folder, "cola", learning_rate=0.1)
    trying = 1  # two rows, to see whether states can stand in
    assert len(passes) == before + trying
    assert second.curve == alone.curve
    assert second.scores == alone.scores
    trained("top_layers", tiny_model, glue_folder, "cola", learning_rate=0.1)
    assert len(passes) > before + 2 * trying


def test_a_trial_that_was_spared_a_pass_has_a_record_that_adds_up(
    monkeypatch: pytest.MonkeyPatch, tiny_model: str, glue_folder: str
) -> None:
    """The pass was slow when it was made: its seconds are in the trial's as well as in the training's."""
    kept = recall.Recall()
    monkeypatch.setattr(states, "_RECALL", kept)
    trained("head", tiny_model, glue_folder, "cola", learning_rate=0.1)
    for key, made in kept._kept.items():
        kept._kept[key] = replace(made, seconds=100.0)
    record = trained("head", tiny_model, glue_folder, "cola", learning_rate=0.1)
    assert record.training is not None
    assert record.training.seconds > 100
    check_record(record)


def test_a_front_is_another_with_other_weights_settings_or_precision() -> None:
    """Of equal ones the digest is equal."""

    def digest(change: Callable[[Adapted], object] = lambda adapted: None, **protocol: Any) -> bytes | None:
        found, batch = put("head", "bert")
        change(found)
        made = frozen.behind(found, batch)
        assert isinstance(made, frozen.Behind)
        return recall.digest(made, Protocol(**protocol))

    def nudge(adapted: Adapted) -> None:
        with torch.no_grad():
            next(adapted.model.parameters())[0, 0] += 1e-3

    def sharpen(adapted: Adapted) -> None:
        adapted.model.config.hidden_act = "relu"

    one = digest()
    assert one is not None
    assert one == digest()
    others = [digest(nudge), digest(sharpen), digest(precision="bfloat16")]
    assert len({one, *others}) == 4
    assert digest(quantization="nf4") is None


def test_what_is_recalled_is_bounded() -> None:
    """What was wanted longest ago is computed again."""
    made: list[int] = []

    def states_of(number: int) -> Tensor:
        batch = {"input_ids": torch.tensor([[number]])}
        return kept.states(b"front", batch, lambda: made.append(number) or torch.full((1, 4), number)).values

    kept = recall.Recall(most_bytes=2 * 4 * 8)
    for number in (1, 2, 1, 3, 1, 2):
        assert states_of(number).tolist() == [[number] * 4]
    assert made == [1, 2, 3, 2]
    assert kept.bytes <= kept.most_bytes
