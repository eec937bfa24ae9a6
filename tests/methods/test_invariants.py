"""What holds for every method on every architecture, each invariant a test of its own.

A method that a model cannot carry is in ``cells.CANNOT``, with the error that says why. `make matrix` writes
docs/matrix.md from the results.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import MergeError

from .cells import (
    CANNOT,
    CELLS,
    EVERYWHERE,
    KINDS,
    LANGUAGE_MODELS,
    OF_THE_BASE,
    ONE_OF_EACH_KIND,
    apply,
    equal,
    perturb,
    state,
)
from .conftest import build, heads, inputs, is_language_model, labels, logits, tiny, train

pytestmark = pytest.mark.usefixtures("in_matrix")


def ties(model: Any) -> list[list[str]]:
    """The names under which one parameter is found in several places."""
    found: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        found.setdefault(id(parameter), []).append(name)
    return [names for names in found.values() if len(names) > 1]


@pytest.mark.parametrize(
    ("name", "architecture", "head", "reason"), CANNOT, ids=["-".join(cell[:3]) for cell in CANNOT]
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    name: str, architecture: str, head: str, reason: str
) -> None:
    model = tiny(architecture, head)
    shape, flags = str(model), [p.requires_grad for p in model.parameters()]
    with pytest.raises(methods.MethodError, match=reason):
        apply(model, name)
    assert (str(model), [p.requires_grad for p in model.parameters()]) == (shape, flags)


@EVERYWHERE
def test_the_function_at_step_0(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    batch = inputs(model)
    before = logits(model, batch)
    adapted = apply(model, name)
    assert torch.equal(logits(model, batch), before) == adapted.method.card.starts_at_base


@EVERYWHERE
def test_only_what_is_declared_trains(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    adapted = apply(model, name)
    declared = {id(p) for p in adapted.trained().values()}
    assert {id(p) for p in model.parameters() if p.requires_grad} == declared
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if id(p) not in declared}
    trained = {n: p.detach().clone() for n, p in adapted.trained().items()}
    train(model, steps=2)  # at the first LoRA's A has no gradient
    now = dict(model.named_parameters())
    assert all(torch.equal(now[n], p) for n, p in frozen.items())
    still = {n for n, p in adapted.trained().items() if torch.equal(p, trained[n])}
    assert not still


@EVERYWHERE
def test_counts_are_those_of_the_closed_form_and_the_base_before(
    name: str, architecture: str, head: str
) -> None:
    model = tiny(architecture, head)
    # A language model's head is pretrained with its body: it is base, and no task head.
    body = model if is_language_model(model) else model.base_model
    if architecture == "whisper":  # a classifier of sound is its own body
        body = model.encoder
    base = sum(p.numel() for p in body.parameters())
    task_head = sum(p.numel() for p in model.parameters()) - base
    adapted = apply(model, name)
    counts = adapted.parameter_counts()
    assert sum(adapted.method.count(adapted.sizes.geometry, adapted.options).values()) == counts["method"]
    assert counts["trainable"] == counts["method"] + counts["head"]
    kept = sum(adapted.method.count(adapted.sizes.geometry, adapted.stored_options).values())
    # Where the method moves the head, a checkpoint keeps where that began.
    start = sum(p.numel() for p in adapted.head.values() if not p.requires_grad)
    assert adapted.stored_count() == kept + start
    method, sizes = adapted.method, (adapted.sizes.geometry, adapted.options)
    assert (method.count_head(*sizes), method.count_stored(*sizes)) == (counts["head"], kept + start)
    assert method.fits(*sizes)
    assert counts["base"] == base
    pooler = getattr(model.base_model, "pooler", None)
    extra = 0
    if name == "bitfit" and pooler is not None:
        extra = sum(p.numel() for n, p in pooler.named_parameters() if n.endswith("bias"))
    trains = any(p.requires_grad for p in adapted.head.values())  # else it lies in a subspace
    assert counts["head"] == (task_head + extra if trains else 0)


@LANGUAGE_MODELS
def test_tied_weights_stay_tied(name: str, architecture: str, head: str) -> None:
    """A language model's head may be its embedding: one parameter, before and after everything."""
    model = tiny(architecture, head)
    before = ties(model)
    adapted = apply(model, name)

    def tied() -> list[list[str]]:
        return [[n.replace(".base.", ".") for n in names] for names in ties(model)]

    assert tied() == before
    train(model, steps=1)
    assert tied() == before
    assert ties(copy.deepcopy(model)) == ties(model)
    if adapted.method.mergeable:
        adapted.merge()
        assert ties(model) == before
    adapted.switch(adapted.checkpoint())
    adapted.remove()
    assert ties(model) == before


@EVERYWHERE
def test_merging(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    adapted = apply(model, name)
    perturb(adapted)
    batch = inputs(model)
    before, names = logits(model, batch), [n for n, _ in model.named_modules()]
    if not adapted.method.mergeable:
        with pytest.raises(MergeError, match=name):
            adapted.merge()
        return
    adapted.merge()
    assert torch.allclose(logits(model, batch), before, atol=5e-5)
    assert not torch.allclose(logits(tiny(architecture, head), batch), before, atol=1e-3)
    assert [n for n, _ in model.named_modules()] == [n for n, _ in tiny(architecture, head).named_modules()]
    adapted.unmerge()
    assert torch.equal(logits(model, batch), before)
    assert [n for n, _ in model.named_modules()] == names


@EVERYWHERE
def test_removing_gives_the_base_back(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    model.base_model.get_input_embeddings().requires_grad_(False)
    batch = inputs(model)
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
def test_saving_and_loading(name: str, architecture: str, head: str, tmp_path: Path) -> None:
    model = tiny(architecture, head)
    adapted = apply(model, name)
    perturb(adapted)
    batch = inputs(model)
    before = logits(model, batch)
    adapted.save(tmp_path)
    if adapted.method.mergeable:  # merged or not, the same is saved
        adapted.merge()
        adapted.save(tmp_path / "merged")
        assert (tmp_path / "merged/paretune.safetensors").read_bytes() == (
            tmp_path / "paretune.safetensors"
        ).read_bytes()
    other = tiny(architecture, head)
    loaded = methods.load(other, tmp_path)
    assert torch.equal(logits(other, batch), before)
    loaded.remove()
    assert equal(state(other), state(tiny(architecture, head)))


def real(batch: dict[str, Any], key: str) -> torch.Tensor:
    """Where an input has tokens and no padding, (batch x length); all of an image or a sound."""
    side = "decoder_" if key.startswith("decoder_") else ""
    mask = batch.get(f"{side}attention_mask")
    return torch.ones(batch[key].shape[:2]).bool() if mask is None else mask.bool()


def at_tokens(model: Any, batch: dict[str, Any]) -> list[torch.Tensor]:
    """The logits of each row where they mean something: a language model's are nothing over padding."""
    found = logits(model, batch)
    if not is_language_model(model):
        return list(found)
    places = real(batch, "decoder_input_ids" if "decoder_input_ids" in batch else "input_ids")
    return [row[place] for row, place in zip(found, places, strict=True)]


def check_padding(model: Any, batch: dict[str, Any]) -> None:
    """The logits of every row are those of the row without its padding."""
    for row, expected in enumerate(at_tokens(model, batch)):
        alone = {key: value[row : row + 1, real(batch, key)[row]] for key, value in batch.items()}
        assert torch.allclose(logits(model, alone)[0], expected, atol=5e-5)


# On the left: what is causal, and what has no absolute positions.
LEFT = [(n, a, h) for n, a, h in CELLS if "causal" in heads(a) or (a in ("t5", "mt5") and h == "seq2seq")]


@EVERYWHERE
def test_right_padding_changes_nothing(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    perturb(apply(model, name))
    check_padding(model, inputs(model, (30, 3, 14)))


@pytest.mark.parametrize(("name", "architecture", "head"), LEFT)
def test_left_padding_changes_nothing(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    perturb(apply(model, name))
    check_padding(model, inputs(model, (30, 3, 14), left=True))


@pytest.mark.parametrize(
    ("name", "architecture", "head"), [cell for cell in CELLS if cell[0] == "prefix" or cell[1] in KINDS]
)
def test_eager_attention_gives_the_same(name: str, architecture: str, head: str) -> None:
    model, eager = tiny(architecture, head), tiny(architecture, head, attn_implementation="eager")
    perturb(apply(model, name))
    perturb(apply(eager, name))
    batch = inputs(model)
    pairs = zip(at_tokens(model, batch), at_tokens(eager, batch), strict=True)
    assert all(torch.allclose(one, other, atol=5e-5) for one, other in pairs)


@ONE_OF_EACH_KIND
def test_modes_change_no_weight(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    apply(model, name)
    values = state(model)
    model.train()
    model.eval()
    assert equal(state(model), values)
    assert not any(module.training for module in model.modules())


@ONE_OF_EACH_KIND
def test_a_copy_is_independent(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    apply(model, name)
    train(model, steps=1)
    batch = inputs(model)
    before = logits(model, batch)
    twin = copy.deepcopy(model)
    assert torch.equal(logits(twin, batch), before)
    train(twin, steps=1)
    assert torch.equal(logits(model, batch), before)
    assert not torch.equal(logits(twin, batch), before)


@ONE_OF_EACH_KIND
def test_a_bfloat16_base_trains_in_float32_and_answers_in_bfloat16(
    name: str, architecture: str, head: str
) -> None:
    model = tiny(architecture, head, dtype=torch.bfloat16)
    base = {id(p) for p in model.parameters()}
    adapted = apply(model, name)
    own = {id(p) for p in adapted.model.parameters()} - base
    made = {p.dtype for p in adapted.trained().values() if id(p) in own}
    assert made <= {torch.float32}  # and what the base has keeps its dtype
    assert {p.dtype for p in adapted.trained().values() if id(p) not in own} <= {torch.bfloat16}
    train(model, steps=1)
    found = logits(model, inputs(model))
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
def test_gradient_checkpointing_gives_the_same_gradients(name: str, architecture: str, head: str) -> None:
    def gradients(checkpointing: bool) -> dict[str, torch.Tensor]:
        model = tiny(architecture, head, **NO_DROPOUT[architecture]).train()
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        adapted = apply(model, name)
        batch = inputs(model)
        cache = {"use_cache": False} if hasattr(model.config, "use_cache") else {}
        model(**batch, **cache, labels=labels(model, batch)).loss.backward()
        return {n: p.grad for n, p in adapted.trained().items() if p.grad is not None}

    plain, saved = gradients(False), gradients(True)
    assert plain.keys() == saved.keys()
    assert plain
    assert all(torch.allclose(plain[n], saved[n], atol=1e-5, rtol=1e-4) for n in plain)


@ONE_OF_EACH_KIND
def test_works_without_memory(name: str, architecture: str, head: str) -> None:
    with torch.device("meta"):
        model = build(architecture, head)
    counted = apply(model, name).parameter_counts()
    assert counted == apply(tiny(architecture, head), name).parameter_counts()


OTHERS_COMPILED = [(name, "gpt2", "causal") for name in ("lora", "ia3", "prefix", "prompt", "did")]
COMPILED = [cell for cell in CELLS if cell[0] == "full" or cell[0] not in OF_THE_BASE]
COMPILED = [c for c in COMPILED if c[1:] == ("bert", "classify") or c in OTHERS_COMPILED]


@pytest.mark.parametrize(("name", "architecture", "head"), COMPILED)
def test_compiles_to_the_same_function(name: str, architecture: str, head: str) -> None:
    """What Dynamo traces; what is generated from it is torch's own affair, and measured on a card."""
    torch.compiler.reset()
    model = tiny(architecture, head)
    perturb(apply(model, name))
    batch = inputs(model)
    compiled = torch.compile(model, backend="eager")
    with torch.no_grad():
        assert torch.allclose(compiled(**batch).logits, model(**batch).logits, atol=1e-5)
