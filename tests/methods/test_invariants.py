"""What holds for every method on every architecture, each invariant a test of its own.

A method that an architecture cannot carry is in :data:`CANNOT`, with the error that says why.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import MergeError
from methods.layouts import LAYOUTS

from .conftest import logits, text, tiny, train

OPTIONS: dict[str, dict[str, Any]] = {
    "top_layers": {"layers": 1},
    "lora": {"rank": 3},
    "dora": {"rank": 3},
    "houlsby": {"bottleneck": 5},
    "lin": {"bottleneck": 5},
    "pfeiffer": {"bottleneck": 5},
    "prefix": {"length": 4, "hidden": 6},
    "prompt": {"length": 4},
}
UNCHANGED = ("full", "head", "bitfit", "top_layers", "lora", "dora", "ia3")

NO_BIASES = "has no biases, bitfit has nothing to train"
NO_INTERFACE = "computes its attention without transformers' attention functions"
CANNOT: dict[tuple[str, str], str] = {
    **{
        ("bitfit", architecture): NO_BIASES
        for architecture in ("modernbert", "llama", "mistral", "qwen3", "gemma", "t5")
    },
    ("prefix", "deberta-v2"): NO_INTERFACE,
    ("prefix", "mpnet"): NO_INTERFACE,
}
CELLS = [(n, a) for a in LAYOUTS for n in methods.names() if (n, a) not in CANNOT]
NAMES = pytest.mark.parametrize("name", methods.names())
EVERYWHERE = pytest.mark.parametrize(("name", "architecture"), CELLS)
ONE_OF_EACH_KIND = pytest.mark.parametrize(
    ("name", "architecture"),
    [cell for cell in CELLS if cell[1] in ("bert", "modernbert", "gpt2", "gpt_neox", "qwen3", "t5")],
)
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["sdpa", "eager"])
DECODERS = ("gpt2", "gpt_neox", "opt", "llama", "mistral", "qwen2", "qwen3", "gemma")


def apply(model: Any, name: str) -> methods.Adapted:
    torch.manual_seed(11)
    return methods.apply(model, name, **OPTIONS.get(name, {}))


def perturb(adapted: methods.Adapted, scale: float = 0.1) -> None:
    """Move every trained tensor, as training would."""
    torch.manual_seed(5)
    for parameter in adapted.trained().values():
        parameter.data.add_(scale * torch.randn_like(parameter))


def state(model: Any) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("cell", "reason"), CANNOT.items())
def test_what_cannot_be_done_says_why_and_changes_nothing(cell: tuple[str, str], reason: str) -> None:
    name, architecture = cell
    model = tiny(architecture)
    shape, flags = str(model), [p.requires_grad for p in model.parameters()]
    with pytest.raises(methods.MethodError, match=reason):
        apply(model, name)
    assert (str(model), [p.requires_grad for p in model.parameters()]) == (shape, flags)


@EVERYWHERE
def test_the_function_at_step_0(name: str, architecture: str) -> None:
    model = tiny(architecture)
    batch = text(model)
    before = logits(model, batch)
    apply(model, name)
    after = logits(model, batch)
    if name in UNCHANGED:
        assert torch.equal(after, before)
    elif name == "houlsby":  # weights of 1e-3: close, but the adapter is there
        assert not torch.equal(after, before)
        assert torch.allclose(after, before, atol=2e-3)
    else:
        assert not torch.allclose(after, before, atol=1e-5)


@EVERYWHERE
def test_only_what_is_declared_trains(name: str, architecture: str) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    declared = {id(p) for p in adapted.trained().values()}
    assert {id(p) for p in model.parameters() if p.requires_grad} == declared
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if id(p) not in declared}
    trained = {n: p.detach().clone() for n, p in adapted.trained().items()}
    train(model)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[n], p) for n, p in frozen.items())
    still = {n for n, p in adapted.trained().items() if torch.equal(p, trained[n])}
    assert not still


@EVERYWHERE
def test_the_closed_form_equals_the_count(name: str, architecture: str) -> None:
    adapted = apply(tiny(architecture), name)
    counts = adapted.parameter_counts()
    assert sum(adapted.method.count(adapted.anatomy.geometry, adapted.options).values()) == counts["method"]
    assert counts["trainable"] == counts["method"] + counts["head"]
    assert adapted.method.stored_count(adapted.anatomy.geometry, adapted.options) == adapted.stored_count()


@EVERYWHERE
def test_base_and_head_counts_are_those_before_injection(name: str, architecture: str) -> None:
    model = tiny(architecture)
    base = sum(p.numel() for p in model.base_model.parameters())
    head = sum(p.numel() for p in model.parameters()) - base
    counts = apply(model, name).parameter_counts()
    assert counts["base"] == base
    pooler = getattr(model.base_model, "pooler", None)
    extra = 0
    if name == "bitfit" and pooler is not None:
        extra = sum(p.numel() for n, p in pooler.named_parameters() if n.endswith("bias"))
    assert counts["head"] == head + extra


@EVERYWHERE
def test_merging(name: str, architecture: str) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    perturb(adapted)
    batch = text(model)
    before, names = logits(model, batch), [n for n, _ in model.named_modules()]
    if not adapted.method.mergeable:
        with pytest.raises(MergeError, match=name):
            adapted.merge()
        return
    adapted.merge()
    assert torch.allclose(logits(model, batch), before, atol=5e-5)
    assert not torch.allclose(logits(tiny(architecture), batch), before, atol=1e-3)
    assert [n for n, _ in model.named_modules()] == [n for n, _ in tiny(architecture).named_modules()]
    adapted.unmerge()
    assert torch.equal(logits(model, batch), before)
    assert [n for n, _ in model.named_modules()] == names


@EVERYWHERE
def test_removing_gives_the_base_back(name: str, architecture: str) -> None:
    model = tiny(architecture)
    model.base_model.get_input_embeddings().requires_grad_(False)
    batch = text(model)
    before, values, shape = logits(model, batch), state(model), str(model)
    flags = [p.requires_grad for p in model.parameters()]
    implementation = model.config._attn_implementation

    def hooks() -> list[int]:
        return [len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules()]

    hooked = hooks()
    adapted = apply(model, name)
    perturb(adapted)
    if adapted.method.mergeable:
        adapted.merge()
    assert adapted.remove() is model
    assert equal(state(model), values)
    assert torch.equal(logits(model, batch), before)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert (str(model), model.config._attn_implementation) == (shape, implementation)
    assert hooks() == hooked
    with pytest.raises(methods.MethodError, match="removed"):
        adapted.parameter_counts()
    apply(model, name)  # and there is room again


@EVERYWHERE
def test_saving_and_loading(name: str, architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    perturb(adapted)
    batch = text(model)
    before = logits(model, batch)
    adapted.save(tmp_path)
    if adapted.method.mergeable:  # merged or not, the same is saved
        adapted.merge()
        adapted.save(tmp_path / "merged")
        assert (tmp_path / "merged/paretune.safetensors").read_bytes() == (
            tmp_path / "paretune.safetensors"
        ).read_bytes()
    other = tiny(architecture)
    loaded = methods.load(other, tmp_path)
    assert torch.equal(logits(other, batch), before)
    loaded.remove()
    assert equal(state(other), state(tiny(architecture)))


def alone(batch: dict[str, Any], row: int, left: bool) -> dict[str, Any]:
    """One row of a batch, without its padding."""
    length = int(batch["attention_mask"][row].sum())
    place = slice(-length, None) if left else slice(length)
    return {key: value[row : row + 1, place] for key, value in batch.items()}


LEFT = [cell for cell in CELLS if cell[1] in DECODERS]


@EVERYWHERE
def test_right_padding_changes_nothing(name: str, architecture: str) -> None:
    model = tiny(architecture)
    perturb(apply(model, name))
    together = text(model, (30, 3, 14))
    all_rows = logits(model, together)
    for row in range(3):
        assert torch.allclose(logits(model, alone(together, row, False))[0], all_rows[row], atol=5e-5)


@pytest.mark.parametrize(("name", "architecture"), LEFT)
def test_left_padding_changes_nothing(name: str, architecture: str) -> None:
    model = tiny(architecture)
    perturb(apply(model, name))
    together = text(model, (30, 3, 14), left=True)
    all_rows = logits(model, together)
    for row in range(3):
        assert torch.allclose(logits(model, alone(together, row, True))[0], all_rows[row], atol=5e-5)


@EVERYWHERE
def test_eager_attention_gives_the_same(name: str, architecture: str) -> None:
    found = []
    for implementation in ("sdpa", "eager"):
        model = tiny(architecture, attn_implementation=implementation)
        perturb(apply(model, name))
        found.append(logits(model, text(model)))
    assert torch.allclose(*found, atol=5e-5)


@ONE_OF_EACH_KIND
def test_modes_change_no_weight(name: str, architecture: str) -> None:
    model = tiny(architecture)
    apply(model, name)
    values = state(model)
    model.train()
    model.eval()
    assert equal(state(model), values)
    assert not any(module.training for module in model.modules())


@ONE_OF_EACH_KIND
def test_a_copy_is_independent(name: str, architecture: str) -> None:
    model = tiny(architecture)
    apply(model, name)
    train(model, steps=1)
    batch = text(model)
    before = logits(model, batch)
    twin = copy.deepcopy(model)
    assert torch.equal(logits(twin, batch), before)
    train(twin, steps=1)
    assert torch.equal(logits(model, batch), before)
    assert not torch.equal(logits(twin, batch), before)


@EVERYWHERE
def test_follows_bfloat16(name: str, architecture: str) -> None:
    model = tiny(architecture, dtype=torch.bfloat16)
    adapted = apply(model, name)
    assert {p.dtype for p in adapted.trained().values()} == {torch.bfloat16}
    train(model, steps=1)
    found = logits(model, text(model))
    assert found.dtype == torch.bfloat16
    assert torch.isfinite(found).all()


NO_DROPOUT = {
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "modernbert": {},
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "gpt_neox": {},
    "qwen3": {},
    "t5": {"dropout_rate": 0.0},
}


@ONE_OF_EACH_KIND
def test_gradient_checkpointing_gives_the_same_gradients(name: str, architecture: str) -> None:
    def gradients(checkpointing: bool) -> dict[str, torch.Tensor]:
        model = tiny(architecture, **NO_DROPOUT[architecture]).train()
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        adapted = apply(model, name)
        batch = (
            text(model) | {"use_cache": False} if architecture not in ("bert", "modernbert") else text(model)
        )
        model(**batch, labels=torch.tensor([0, 1, 2])).loss.backward()
        return {n: p.grad for n, p in adapted.trained().items() if p.grad is not None}

    plain, saved = gradients(False), gradients(True)
    assert plain.keys() == saved.keys()
    assert plain
    assert all(torch.allclose(plain[n], saved[n], atol=1e-5, rtol=1e-4) for n in plain)


@NAMES
def test_one_method_at_a_time(name: str) -> None:
    model = tiny("bert")
    apply(model, name)
    with pytest.raises(methods.MethodError, match=f"already holds the method '{name}'"):
        apply(model, "lora")


@ONE_OF_EACH_KIND
def test_works_without_memory(name: str, architecture: str) -> None:
    with torch.device("meta"):
        model = tiny(architecture)
    counted = apply(model, name).parameter_counts()
    assert counted == apply(tiny(architecture), name).parameter_counts()


COMPILED = [(name, "bert") for name in methods.names()]
COMPILED += [(name, "gpt2") for name in ("lora", "dora", "ia3", "prefix", "prompt")]


@pytest.mark.parametrize(("name", "architecture"), COMPILED)
def test_compiles_to_the_same_function(name: str, architecture: str) -> None:
    """Dynamo and autograd's tracing; the code generator behind them is torch's own affair."""
    torch.compiler.reset()
    model = tiny(architecture)
    perturb(apply(model, name))
    batch = text(model)
    compiled = torch.compile(model, backend="aot_eager")
    with torch.no_grad():
        assert torch.allclose(compiled(**batch).logits, model(**batch).logits, atol=1e-5)


GENERATORS = [cell for cell in CELLS if cell[1] in (*DECODERS, "t5", "bart")]


@pytest.mark.parametrize(("name", "architecture"), GENERATORS)
def test_cached_generation_equals_uncached(name: str, architecture: str) -> None:
    model = tiny(architecture, head="causal" if architecture in DECODERS else "seq2seq")
    adapted = apply(model, name)
    assert adapted.parameter_counts()["head"] == 0  # a language model's head is no task head
    perturb(adapted)
    batch = {
        k: v for k, v in text(model, (7, 3), left=architecture in DECODERS).items() if k != "position_ids"
    }
    torch.manual_seed(0)
    settings: dict[str, Any] = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    settings |= {"return_dict_in_generate": True, "output_logits": True}
    cached = model.generate(**batch, use_cache=True, **settings)
    plain = model.generate(**batch, use_cache=False, **settings)
    assert torch.equal(cached.sequences, plain.sequences)
    for one, other in zip(cached.logits, plain.logits, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(("name", "architecture"), GENERATORS)
def test_generation_steps_equal_one_forward(name: str, architecture: str) -> None:
    """The logits of each generated token are those of a forward pass over the whole text."""
    model = tiny(architecture, head="causal" if architecture in DECODERS else "seq2seq")
    perturb(apply(model, name))
    ids = text(model, (6,))["input_ids"]
    settings: dict[str, Any] = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    made = model.generate(ids, return_dict_in_generate=True, output_logits=True, **settings)
    stepwise = torch.stack(made.logits, dim=1)
    if architecture in DECODERS:
        whole = logits(model, {"input_ids": made.sequences})[:, ids.shape[1] - 1 : -1]
    else:
        whole = logits(model, {"input_ids": ids, "decoder_input_ids": made.sequences})[:, :-1]
    assert torch.allclose(stepwise, whole, atol=1e-4)
