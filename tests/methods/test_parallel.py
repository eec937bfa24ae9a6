"""`parallel` against the equation of arXiv 2110.04366, and how its adapters come by what they read."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import methods
from methods.modules import parallel

from .by_hand import against_the_equation
from .cells import perturb
from .conftest import inputs, labels, logits, text, tiny
from .parity import Record, agree


def added(block: Any, x: Tensor) -> Tensor:
    """s (W_up ReLU(W_down x + b) + b')."""
    a = block.parallel.adapter
    return 3.0 * (F.relu(x @ a.down.T + a.down_bias) @ a.up.T + a.up_bias)


def hooks(block: Any) -> dict[str, Any]:
    """Beside the feed-forward, of the stream that it reads: behind the norm in a GPT-2 block."""
    if hasattr(block, "ln_1"):
        return {"beside": lambda read: added(block, read)}
    return {"last": lambda o, x: block.output.LayerNorm(o + added(block, x) + x)}


def adapted(architecture: str, head: str = "classify", **changes: Any) -> methods.Adapted:
    made = methods.apply(tiny(architecture, head, **changes), "parallel", bottleneck=5, scale=3)
    perturb(made, 0.3)
    return made


@pytest.mark.parametrize("architecture", ["gpt2", "bert"])
def test_the_equation(architecture: str, record_property: Record) -> None:
    made = adapted(architecture, dtype=torch.float64)
    pairs = against_the_equation(made, text(made.model), hooks)
    assert len(pairs) == 1 + 2 * 4 + {"gpt2": 1, "bert": 2}[architecture]
    agree(record_property, "equation", "parallel", architecture, pairs)


@pytest.mark.parametrize(
    ("architecture", "path"),
    [
        ("llama", "mlp"),
        ("gpt_neox", "mlp"),
        ("phi3", "mlp"),
        ("modernbert", "mlp"),
        ("distilbert", "ffn"),
        ("mt5", "layer.1.DenseReluDense"),
    ],
)
def test_beside_the_module_that_is_the_feed_forward(
    architecture: str, path: str, record_property: Record
) -> None:
    made = adapted(architecture, dtype=torch.float64)
    batch = inputs(made.model)
    found, blocks = logits(made.model, batch), [site.path for site in made.anatomy.blocks]
    adapters = [site.module for site in made.anatomy.blocks]
    plain = tiny(architecture, dtype=torch.float64)
    for name, ours in made.head.items():
        plain.get_parameter(name).data.copy_(ours)
    for name, block in zip(blocks, adapters, strict=True):
        inner = path if "decoder" not in name else path.replace("layer.1", "layer.2")
        module = plain.base_model.get_submodule(f"{name}.{inner}")
        module.register_forward_hook(lambda m, args, h, block=block: h + added(block, args[0]))
    case = f"{architecture}: around {path}"
    agree(record_property, "equation", "parallel", case, [(found, logits(plain, batch))])


def test_it_starts_as_the_released_code() -> None:
    made = methods.apply(tiny("gpt2"), "parallel", bottleneck=100)
    for block in made.anatomy.blocks:
        adapter = block.module.parallel.adapter
        assert 0.98 < adapter.down.abs().max() * math.sqrt(32) <= 1  # U(-1/sqrt(d), 1/sqrt(d))
        assert not any(p.any() for p in (adapter.up, adapter.up_bias, adapter.down_bias))
    assert made.options.scale == 4


def test_a_feed_forward_in_chunks() -> None:
    whole, chunks = adapted("bert").model, adapted("bert", chunk_size_feed_forward=4).model
    batch = text(whole, (8, 8))
    torch.testing.assert_close(logits(chunks, batch), logits(whole, batch))


def test_threads_do_not_meet() -> None:
    """Two passes at once, each of which has read its input before either adds to its output."""
    model = adapted("bert").model
    batches = [text(model, (7,)), text(model, (7,), left=True) | {"token_type_ids": torch.ones(1, 7).long()}]
    expected = [logits(model, batch) for batch in batches]
    together = threading.Barrier(2, timeout=20)

    def wait(*_: Any) -> None:
        together.wait()

    for layer in model.bert.encoder.layer:
        layer.intermediate.register_forward_hook(wait)
    found: dict[int, Tensor] = {}

    def run(number: int) -> None:
        found[number] = logits(model, batches[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)
    for number in range(2):
        torch.testing.assert_close(found[number], expected[number])


def test_nothing_of_a_pass_is_kept() -> None:
    model = adapted("bart", "seq2seq").model
    logits(model, inputs(model))
    assert parallel._running.read == parallel.NOTHING

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError

    handle = model.base_model.decoder.layers[1].fc2.register_forward_pre_hook(fail)
    with pytest.raises(torch.OutOfMemoryError):
        logits(model, inputs(model))
    assert parallel._running.read == parallel.NOTHING
    handle.remove()
    assert torch.isfinite(logits(model, inputs(model))).all()


def test_reentrant_checkpointing_gives_the_same_gradients() -> None:
    def gradients(checkpointing: bool) -> list[Tensor]:
        made = adapted("llama")
        model = made.model.train()
        model.enable_input_require_grads()
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": True})
        batch = inputs(model)
        model(**batch, use_cache=False, labels=labels(model, batch)).loss.backward()
        return [parameter.grad for parameter in made.trained().values()]

    torch.testing.assert_close(gradients(True), gradients(False))


def test_a_feed_forward_that_runs_in_another_way_is_refused() -> None:
    model = adapted("bert").model
    batch = text(model)
    model.bert.encoder.layer[1].intermediate.dense = nn.Linear(32, 48)  # which tells no one what it reads
    with pytest.raises(
        methods.MethodError, match=r"read nothing where a feed-forward returned \(3, 11, 32\)"
    ):
        logits(model, batch)
