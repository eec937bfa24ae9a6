"""torch's count: without weights as with them, and what the report says where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count
from transformers import BartConfig, DebertaV2Config, GPT2Config, PretrainedConfig, RobertaConfig, T5Config

import methods
import tasks
from methods import MethodError
from methods.anatomy import layouts
from methods.core import Flops
from runners import models
from runners.measure.flops import _IN_PLACE, closed, counted, of_targets, report
from runners.plan.errors import SpecError
from runners.writing.targets import OnTargets
from tests.methods.cells import OPTIONS
from tests.methods.conftest import seed, tiny

SIZES = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def real(tiny_model: str, name: str, **options: object) -> methods.Adapted:
    return methods.apply(models.classifier(tiny_model, tasks.get("cola")), name, **options)


@pytest.mark.parametrize("name", methods.names())
def test_without_weights_it_is_the_same_number(tiny_model: str, name: str) -> None:
    without = report(tiny_model, name, {}, 3, 17)
    assert without.counted == counted(real(tiny_model, name).model, 3, 17) == without.closed_form
    assert (without.forward_flops, without.training_step_flops) == (
        without.counted.forward_flops,
        without.counted.training_step_flops,
    )
    assert without.base_training_step_flops == 3 * without.base_forward_flops


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, bos_token_id=1, eos_token_id=1),
        RobertaConfig(**SIZES, intermediate_size=48),
        DebertaV2Config(**SIZES, intermediate_size=48),
    ],
)
def test_models_that_look_for_padding(config: PretrainedConfig, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    found = report(str(tmp_path), "head", {}, 2, 5)
    assert found.counted is not None
    assert found.forward_flops == found.base_forward_flops > 0
    assert (found.closed_form is None) == isinstance(config, DebertaV2Config)


def test_counting_leaves_the_model_as_it_was(tiny_model: str) -> None:
    adapted = real(tiny_model, "lora")
    before = {name: tensor.clone() for name, tensor in adapted.model.state_dict().items()}
    (kept, *others) = adapted.trained().values()
    kept.grad = torch.ones_like(kept)
    counted(adapted.model, 2, 4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapted.model.state_dict().items())
    assert torch.equal(kept.grad, torch.ones_like(kept))
    assert all(parameter.grad is None for parameter in others)


def test_nothing_that_trains_is_a_forward_pass_alone(tiny_model: str) -> None:
    model = real(tiny_model, "head").model.requires_grad_(False)
    flops = counted(model, 2, 4)
    assert flops.training_step_flops == flops.forward_flops


def test_fused_attention_computes_the_same_and_its_scores_once_more(tiny_model: str) -> None:
    """The kernel that runs on a CPU is unknown to torch's counter; given its products, it agrees."""
    model = real(tiny_model, "full").model
    batch, length = 2, 16

    def forward(query, key, value, *args, out_shape=None, **kwargs):
        return sdpa_flop_count(query, key, value)

    def backward(gradient, query, key, value, *args, out_shape=None, **kwargs):
        return 5 * sdpa_flop_count(query, key, value) // 2  # scores again, and the gradients of four

    kernels = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: forward,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    ids = torch.zeros(batch, length, dtype=torch.long)
    with FlopCounterMode(display=False, custom_mapping=kernels) as counter:
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        forward_flops = counter.get_total_flops()
        logits.sum().backward()
    assert set(kernels) <= set(counter.get_flop_counts()["Global"])
    config = model.config
    scores = config.num_hidden_layers * 2 * batch * length * length * config.hidden_size
    expected = counted(model, batch, length)
    assert forward_flops == expected.forward_flops
    assert counter.get_total_flops() == expected.training_step_flops + scores


def test_where_torch_cannot_count_the_closed_form_stands(tmp_path: Path) -> None:
    T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=99).save_pretrained(tmp_path)
    found = report(str(tmp_path), "lora", {"rank": 2}, 2, 6)
    assert found.counted is None
    assert found.closed_form == Flops(found.forward_flops, found.training_step_flops)
    assert 3 * found.base_forward_flops == found.base_training_step_flops


def test_an_input_that_is_too_long_is_refused(tiny_model: str) -> None:
    with pytest.raises(
        SpecError, match=r"received inputs of 120 tokens, .* with prompt takes 108 at the most"
    ):
        report(tiny_model, "prompt", {"length": 20}, 1, 120)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("name", ["lora", "full", "prompt"])
def test_a_step_on_targets_alone_is_counted(family: str, name: str) -> None:
    """Logits of 3 tokens of every 9, forward and backward."""
    seed(1)
    adapted = methods.apply(tiny(family, "causal"), name, **OPTIONS.get(name, {}))
    ids = torch.arange(18).view(2, 9) + 3
    labels = torch.where(torch.arange(9) > 5, ids, -100)
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False, custom_mapping=_IN_PLACE) as counter,
    ):
        loss = OnTargets(adapted.model)(labels, input_ids=ids).loss
        forward = counter.get_total_flops()
        loss.backward()
    found, full = of_targets(adapted, 2, 9, 3)
    assert (found.forward_flops, found.training_step_flops) == (forward, counter.get_total_flops())
    assert full.training_step_flops == 3 * full.forward_flops
    every, _ = closed(adapted, 2, 9)
    assert of_targets(adapted, 2, 9, 9)[0] == every
    with pytest.raises(MethodError, match="differ"):
        of_targets(methods.apply(tiny("t5", "seq2seq"), "lora"), 2, 9, 3)


def test_neither_counted_nor_derived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder-decoder whose attention has no closed form."""
    strange = tuple(replace(layout, attends_to_positions=True) for layout in layouts.LAYOUTS["bart"])
    monkeypatch.setitem(layouts.LAYOUTS, "bart", strange)
    size = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 99}
    BartConfig(**size, encoder_attention_heads=4, decoder_attention_heads=4).save_pretrained(tmp_path)
    with pytest.raises(SpecError, match="can neither be counted without its weights nor derived"):
        report(str(tmp_path), "lora", {}, 2, 6)
