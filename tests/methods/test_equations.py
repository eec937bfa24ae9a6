"""Every method against its paper's equation, written out, in float64."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import methods
from methods.modules.houlsby import HoulsbyAdapter
from methods.modules.lora import LoRALinear
from methods.modules.prompt import SoftPrompt

from .by_hand import bert_layer
from .conftest import logits, text, tiny, train
from .parity import Record, agree

EXACT = {"rtol": 0.0, "atol": 1e-10}


def adapted(name: str, architecture: str = "bert", **options: Any) -> methods.Adapted:
    """A trained method in float64, so that no part of it is zero or identity."""
    model = tiny(architecture, dtype=torch.float64)
    torch.manual_seed(5)
    made = methods.apply(model, name, **options)
    train(model)
    return made


def blocks_and_inputs(made: methods.Adapted) -> list[tuple[Any, Tensor, Tensor]]:
    """(block, its input, its output) for every block, from a real forward pass."""
    seen = []
    handles = [
        block.module.register_forward_hook(lambda block, args, out: seen.append((block, args[0], out)))
        for block in made.anatomy.blocks
    ]
    batch = text(made.model)
    logits(made.model, batch)
    for handle in handles:
        handle.remove()
    return seen


def test_the_block_by_hand_is_the_models_own() -> None:
    made = adapted("head")
    mask = text(made.model)["attention_mask"]
    for block, x, out in blocks_and_inputs(made):
        torch.testing.assert_close(bert_layer(block, x, mask), out, **EXACT)


def test_lora(record_property: Record) -> None:
    made = adapted("lora", rank=3, alpha=12, target=("query", "value"))
    pairs = []
    mask = text(made.model)["attention_mask"]
    for block, x, out in blocks_and_inputs(made):
        hooks = {}
        for name in ("query", "value"):
            layer = getattr(block.attention.self, name)
            assert isinstance(layer, LoRALinear)
            part = layer.parts[name]
            w = layer.base.weight + 12 / 3 * part.lora_B @ part.lora_A
            assert part.lora_B.abs().sum() > 0
            hooks[name] = lambda x, w=w, b=layer.base.bias: x @ w.T + b
        assert not isinstance(block.attention.self.key, LoRALinear)
        pairs.append((out, bert_layer(block, x, mask, hooks)))
    agree(record_property, "equation", "lora", "bert", pairs)


@pytest.mark.parametrize("role", ["query", "key", "value", "output", "up", "down"])
def test_lora_reaches_every_role(role: str) -> None:
    made = methods.apply(tiny("bert"), "lora", rank=2, target=role)
    assert sum(isinstance(m, LoRALinear) for m in made.model.modules()) == 2
    assert sum(made.parts().values()) == made.parameter_counts()["method"]


def gelu_tanh(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_houlsby(record_property: Record) -> None:
    made = adapted("houlsby", bottleneck=5, init_std=0.3)
    pairs = []
    mask = text(made.model)["attention_mask"]
    for block, x, out in blocks_and_inputs(made):
        hooks = {}
        for key, wrapper in (
            ("attention", block.attention.output.dropout),
            ("feed_forward", block.output.dropout),
        ):
            assert isinstance(wrapper, HoulsbyAdapter)
            a = wrapper.adapter
            hooks[f"after_{key}"] = lambda u, a=a: (
                u + gelu_tanh(u @ a.down.T + a.down_bias) @ a.up.T + a.up_bias
            )
        pairs.append((out, bert_layer(block, x, mask, hooks)))
    agree(record_property, "equation", "houlsby", "bert", pairs)


def test_houlsby_trains_norms_not_the_pooler_and_starts_truncated() -> None:
    made = methods.apply(tiny("bert"), "houlsby", bottleneck=50)
    names = [name for name, p in made.model.named_parameters() if p.requires_grad]
    assert sum("LayerNorm" in name for name in names) == 2 * (2 * 2 + 1)
    assert not any("pooler" in name or "dense" in name for name in names)
    downs = torch.cat([p.flatten() for name, p in made.trained().items() if name.endswith("adapter.down")])
    assert 0.0015 < downs.abs().max() <= 0.002
    without = methods.apply(tiny("bert"), "houlsby", bottleneck=50, layer_norms=False)
    assert not any("LayerNorm" in name for name in without.trained())


def test_pfeiffer_in_the_papers_form(record_property: Record) -> None:
    made = adapted("pfeiffer", bottleneck=5)
    pairs = []
    mask = text(made.model)["attention_mask"]
    for block, x, out in blocks_and_inputs(made):
        wrapper = block.output.LayerNorm
        a, norm = wrapper.adapter, wrapper.inner

        def last(o: Tensor, x: Tensor, a: Any = a, norm: Any = norm) -> Tensor:
            y = norm(o + x)
            z = F.relu(y @ a.down.T + a.down_bias) @ a.up.T + a.up_bias + o
            return norm(z + x)

        pairs.append((out, bert_layer(block, x, mask, {"last": last})))
        assert not norm.weight.requires_grad
    agree(record_property, "equation", "pfeiffer", "bert", pairs)


@pytest.mark.parametrize("hidden", [None, 6])
def test_prefix(hidden: int | None, record_property: Record) -> None:
    made = adapted("prefix", length=4, hidden=hidden)
    mask = text(made.model)["attention_mask"]
    prefixes: list[tuple[Tensor, Tensor]] = []
    if hidden is None:
        for block in made.anatomy.blocks:
            own = block.module.attention.self.prefix
            prefixes.append((own.keys, own.values))
    else:
        mlp = made.anatomy.body.prefix["self"]
        flat = (
            torch.tanh(mlp.embedding @ mlp.inner.weight.T + mlp.inner.bias) @ mlp.outer.weight.T
            + mlp.outer.bias
        )
        whole = flat.view(4, 2, 2, 4, 8)  # length, blocks, key or value, heads, head size
        for block in range(2):
            prefixes.append((whole[:, block, 0].transpose(0, 1), whole[:, block, 1].transpose(0, 1)))
    pairs = [
        (out, bert_layer(block, x, mask, {"prefix": pair}))
        for (block, x, out), pair in zip(blocks_and_inputs(made), prefixes, strict=True)
    ]
    case = "bert" if hidden is None else "bert, reparametrised"
    agree(record_property, "equation", "prefix", case, pairs)


def test_prefix_refuses_attention_it_cannot_reach() -> None:
    model = tiny("bert")
    model.config._attn_implementation = "flex_attention"
    with pytest.raises(methods.MethodError, match="sdpa and eager"):
        methods.apply(model, "prefix")


def prompted(made: methods.Adapted, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The input that prompt tuning stands for, built by hand: [CLS] P x_1 ..."""
    base, weight = made.model.base_model, made.anatomy.body.prompt.weight
    words = base.get_input_embeddings()(batch["input_ids"])
    rows = weight.expand(len(words), -1, -1)
    ones = torch.ones(len(words), len(weight), dtype=torch.long)
    mask = batch["attention_mask"]
    return {
        "inputs_embeds": torch.cat([words[:, :1], rows, words[:, 1:]], dim=1),
        "attention_mask": torch.cat([mask[:, :1], ones, mask[:, 1:]], dim=1),
    }


@pytest.mark.parametrize("architecture", ["bert", "electra", "roberta"])
def test_prompt(architecture: str, record_property: Record) -> None:
    made = adapted("prompt", architecture, length=4)
    batch = text(made.model)
    by_hand = prompted(made, batch)
    if architecture == "roberta":  # numbering from padding_idx + 1, padding not counted
        real = by_hand["attention_mask"]
        by_hand["position_ids"] = real.cumsum(1) * real + 1
    with torch.no_grad():
        found = made.model(**batch).logits
        hidden = made.model.base_model(**batch).last_hidden_state
        clean = copy.deepcopy(made.model)
        clean.base_model._forward_pre_hooks.clear()
        clean.base_model._forward_hooks.clear()
        expected = clean(**by_hand).logits
        rows = clean.base_model(**by_hand).last_hidden_state
    assert hidden.shape[:2] == batch["input_ids"].shape  # the user's tokens, where the user put them
    pairs = [(found, expected), (hidden, torch.cat([rows[:, :1], rows[:, 5:]], dim=1))]
    agree(record_property, "equation", "prompt", architecture, pairs)


def test_prompt_with_every_input_given() -> None:
    made = adapted("prompt", length=4)
    batch = text(made.model)
    length = batch["input_ids"].shape[1]
    types = torch.zeros_like(batch["input_ids"])
    types[:, 6:] = 1
    plain = logits(made.model, batch | {"token_type_ids": types})
    assert not torch.allclose(plain, logits(made.model, batch))
    positions = torch.arange(length).expand(3, -1)
    torch.testing.assert_close(
        logits(made.model, batch | {"token_type_ids": types, "position_ids": positions}), plain
    )
    embeds = made.anatomy.embedding(batch["input_ids"])
    given = {"inputs_embeds": embeds, "attention_mask": batch["attention_mask"], "token_type_ids": types}
    torch.testing.assert_close(logits(made.model, given), plain)


def test_prompt_starts_from_words_or_uniform() -> None:
    model = tiny("bert")
    table = model.base_model.get_input_embeddings().weight.detach().clone()
    made = methods.apply(model, "prompt", length=10)
    rows = made.anatomy.body.prompt.weight
    found = [int((table == row).all(dim=1).nonzero()[0, 0]) for row in rows]
    assert len(set(found)) == 10
    uniform = methods.apply(tiny("bert"), "prompt", length=10, init="uniform").anatomy.body.prompt
    assert isinstance(uniform, SoftPrompt)
    assert 0.4 < uniform.weight.abs().max() <= 0.5


def test_prompt_says_when_there_is_no_room() -> None:
    made = methods.apply(tiny("bert"), "prompt", length=60)
    assert made.max_input_length == 4
    with pytest.raises(methods.MethodError, match="shorten the input to 4"):
        made.model(**text(made.model, (5,)))
    with pytest.raises(methods.MethodError, match="leaves no room"):
        methods.apply(tiny("bert"), "prompt", length=64)


def test_bitfit_trains_biases_and_nothing_else() -> None:
    made = methods.apply(tiny("bert"), "bitfit")
    trained = {n for n, p in made.model.named_parameters() if p.requires_grad}
    assert trained == {n for n, _ in made.model.named_parameters() if n.endswith(".bias")} | {
        "classifier.weight"
    }
    assert "head.body.pooler.dense.bias" in made.trained()
