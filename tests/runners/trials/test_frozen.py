from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import methods
from methods import Adapted
from reports.records.schema import Record
from runners.plan.spec import TrialSpec
from runners.trials import batches, frozen, states, trial
from runners.trials.frozen import Behind
from tests.methods.cells import NOT_OF_TEXT, apply, perturb, why_not
from tests.methods.conftest import ARCHITECTURES, text, tiny

TEXTS = tuple(name for name in ARCHITECTURES if name not in NOT_OF_TEXT)
PAIRS = ("t5", "mt5", "bart", "mbart")
"""Encoder-decoders, whose front is computed in its place."""
METHODS: dict[str, dict[str, Any]] = {
    "head": {},
    "top_layers": {"layers": 1},
    "lora": {"rank": 3, "layers": "last:1"},
}


def put(method: str, architecture: str, **changes: Any) -> tuple[Adapted, dict[str, Tensor]]:
    """A method in a tiny model, moved off its start, and a batch with padding."""
    model = tiny(architecture, **changes)
    adapted = methods.apply(model, method, **METHODS[method])
    perturb(adapted)
    return adapted, text(model)


def gradients(adapted: Adapted, model: torch.nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The loss and its gradients, by name."""
    adapted.model.zero_grad(set_to_none=True)
    labels = torch.arange(len(batch["input_ids"])) % 3
    loss = model(**batch, labels=labels).loss
    loss.backward()
    found = {name: p.grad for name, p in adapted.model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **found}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", TEXTS)
def test_stored_states_give_the_same_gradients(architecture: str, method: str) -> None:
    """Loss and gradients of exactly what trained before, with states that were stored without padding."""
    adapted, batch = put(method, architecture, dtype=torch.float64)
    model = frozen.behind(adapted, batch)
    if method != "head" and architecture == "albert":  # its one block is run again and again
        assert model is adapted.model
        return
    assert isinstance(model, Behind)
    if architecture in PAIRS:
        assert not model.stands_in
        return
    assert model.stands_in
    whole = gradients(adapted, adapted.model, batch)
    stored = model.states_of(batch) * batch["attention_mask"].unsqueeze(-1)
    split = gradients(adapted, model, batch | {"states": stored})
    assert split.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(split[name], value, rtol=1e-10, atol=1e-10 * float(value.abs().max()))


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "bart"])
def test_the_front_is_what_no_trained_parameter_moves(architecture: str, name: str) -> None:
    if why_not(name, architecture, "classify"):
        return
    model = tiny(architecture)
    adapted = apply(model, name)
    batch = text(model)
    found = frozen.behind(adapted, batch)

    def passed() -> list[Tensor]:
        outputs: list[Tensor] = []
        blocks = [site.module for site in adapted.anatomy.blocks]
        hooks = [b.register_forward_hook(lambda *c: outputs.append(frozen._states(c[-1]))) for b in blocks]
        with torch.no_grad():
            model(**batch)
        for hook in hooks:
            hook.remove()
        return outputs

    before = passed()
    perturb(adapted, 0.5)
    perturb(adapted, 0.5)  # a product of two that start at zero moves with the second
    still = [torch.equal(one, other) for one, other in zip(before, passed(), strict=True)]
    unmoved = still.index(False) if False in still else len(still)
    assert len(found.front.blocks if isinstance(found, Behind) else ()) == unmoved


@pytest.mark.parametrize("architecture", ["bert", "bart"])
def test_dropout_is_in_what_trains_alone(architecture: str) -> None:
    model = tiny(architecture)
    adapted = methods.apply(model, "top_layers", layers=1)
    found = frozen.behind(adapted, text(model))
    assert isinstance(found, Behind)
    found.train()
    training = {module for module in model.modules() if module.training}
    *front, last = [site.module for site in adapted.anatomy.blocks]
    assert all(module in training for module in last.modules())
    assert not any(module in training for block in front for module in block.modules())
    assert adapted.anatomy.embedding not in training
    found.eval()
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("method", ["head", "top_layers"])
@pytest.mark.parametrize("architecture", ["bert", "bart", "t5"])
def test_nothing_is_dropped_in_front_where_it_is_computed_in_every_step(
    architecture: str, method: str
) -> None:
    """Neither by a stack itself, in front of its blocks; what trains draws anew."""
    adapted, batch = put(method, architecture)
    found = frozen.behind(adapted, batch)
    assert isinstance(found, Behind)
    found.train()
    left: list[Tensor] = []
    found.front.blocks[-1].register_forward_hook(lambda *call: left.append(frozen._states(call[-1])))
    one, other = (found(**batch).logits for _ in range(2))
    assert torch.equal(left[0], left[1])
    assert method == "head" or not torch.equal(one, other)  # BART's head has no dropout
    assert found.training
    assert adapted.model.training


@pytest.mark.parametrize("side", ["left", "right"])
def test_states_are_padded_as_the_tokens_are(tiny_model: str, side: str) -> None:
    tokenizer = batches.tokenizer.__wrapped__(tiny_model)
    tokenizer.padding_side = side
    rows = [
        {"input_ids": list(range(5, 5 + length)), "labels": 0, "states": torch.full((length, 2), length)}
        for length in (2, 5, 3)
    ]
    batch = batches.Collator(tokenizer)(rows)
    assert batch["states"].shape == (3, 5, 2)
    assert torch.equal(batch["states"][..., 0].ne(0), batch["attention_mask"].bool())
    assert batch["states"].sum(dim=(1, 2)).tolist() == [8, 50, 18]


def trained(method: str, model: str, data: str | None, task: str, **protocol: Any) -> Record:
    defaults = {"steps": 6, "batch_size": 8, "evaluate_every": 3, "learning_rate": 0.01}
    spec = TrialSpec(
        model=model,
        task=task,
        data=data,
        method=method,
        options=METHODS[method],
        protocol=defaults | protocol,
        search=True,
    )
    record = trial.run_trial(spec)
    assert record.status == "completed", record.message
    return record


@pytest.mark.parametrize(
    ("method", "task", "protocol"),
    [
        ("head", "stsb", {}),
        ("top_layers", "cola", {"micro_batch": 3}),
        ("lora", "cola", {"precision": "bfloat16", "base_dtype": "bfloat16"}),
        ("top_layers", "cola", {"gradient_checkpointing": True}),
    ],
)
def test_a_trial_is_the_same_whether_states_are_kept_or_not(
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: str,
    glue_folder: str,
    method: str,
    task: str,
    protocol: dict[str, Any],
) -> None:
    """With dropout in what trains: the same numbers are drawn."""
    kept = trained(method, tiny_model, glue_folder, task, **protocol)
    monkeypatch.setattr(states, "MOST_BYTES", 0)
    anew = trained(method, tiny_model, glue_folder, task, **protocol)
    assert kept.training is not None
    assert anew.training is not None
    assert kept.training.reused_blocks == (2 if method == "head" else 1)
    assert anew.training.reused_blocks == 0
    tolerance = 1e-2 if protocol.get("precision") else 1e-5
    for one, other in zip(kept.curve, anew.curve, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=tolerance)
        assert one.selection == pytest.approx(other.selection, abs=1e-4)
