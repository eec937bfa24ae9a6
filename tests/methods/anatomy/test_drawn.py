"""What a checkpoint lacks in the body trains, counts and is kept with the task head, whatever the method."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

import methods
from methods import AnatomyError, IncompleteHeadWarning, MethodError
from methods.anatomy import fresh, mark_fresh
from runners.measure.flops import counted

from ..cells import apply, equal, perturb, state, why_not
from ..conftest import inputs, logits, tiny, train

POOLERS = {
    "bert": ("bert.pooler.dense.weight", "bert.pooler.dense.bias"),
    "albert": ("albert.pooler.weight", "albert.pooler.bias"),
}
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks for what transformers renamed
EVERY = [(n, a) for n in methods.names() for a in POOLERS if why_not(n, a, "classify") is None]
CELLS = pytest.mark.parametrize(("name", "architecture"), EVERY)


def without_pooler(architecture: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    """A model as one loads it from a checkpoint that has no pooler: each time another one is drawn."""
    model = tiny(architecture, dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    for name in POOLERS[architecture]:
        drawn = torch.randn(model.get_parameter(name).shape, generator=generator)
        model.get_parameter(name).data.copy_(drawn)
    return model


def marked(architecture: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
    """The same, and whoever loaded it has said so."""
    model = without_pooler(architecture, seed, dtype)
    mark_fresh(model, POOLERS[architecture])
    return model


@CELLS
def test_it_trains_and_counts_with_the_head(name: str, architecture: str) -> None:
    frozen, model = apply(tiny(architecture), name), marked(architecture)
    pooler = [model.get_parameter(each) for each in POOLERS[architecture]]
    size, before = sum(p.numel() for p in pooler), [p.detach().clone() for p in pooler]
    adapted = apply(model, name)
    counts, ours = adapted.parameter_counts(), set(map(id, pooler))
    method, sizes = adapted.method, (adapted.sizes.geometry, adapted.options)
    assert counts["base"] == frozen.parameter_counts()["base"] - size
    assert sum(method.count(*sizes).values()) == counts["method"]
    assert (method.count_head(*sizes), method.count_stored(*sizes)) == (
        counts["head"],
        adapted.stored_count(),
    )
    assert ours <= {id(p) for p in adapted.head.values()}
    assert not ours & {id(p) for n, p in adapted.of_the_task().items() if n.startswith("method.")}
    assert adapted.flops(3, 11) == counted(model, 3, 11)
    train(model)
    now = [attrgetter(each)(model) for each in POOLERS[architecture]]  # in a subspace they are computed
    assert not any(torch.equal(a, b) for a, b in zip(now, before, strict=True))


@CELLS
def test_it_is_kept_and_loaded_into_a_model_that_drew_another(
    name: str, architecture: str, tmp_path: Path
) -> None:
    """Else the kept method would read through another random layer, without a word."""
    model = marked(architecture, seed=1)
    batch = inputs(model)
    adapted = apply(model, name)
    perturb(adapted)
    expected = logits(model, batch)
    adapted.save(tmp_path)
    other = without_pooler(architecture, seed=2)  # plain transformers loads it, and says nothing
    loaded = methods.load(other, tmp_path)
    assert torch.equal(logits(other, batch), expected)
    assert fresh(other) == set(POOLERS[architecture])
    loaded.remove()
    assert equal(state(other), state(without_pooler(architecture, seed=2)))
    assert not fresh(other)
    adapted.remove()
    assert equal(state(model), state(marked(architecture, seed=1)))
    assert fresh(model) == set(POOLERS[architecture])


def test_what_does_not_fit_leaves_the_mark_as_it_was(tmp_path: Path) -> None:
    apply(marked("bert"), "lora").save(tmp_path)
    model = tiny("bert", num_labels=5)
    with pytest.raises(MethodError, match="does not fit"):
        methods.load(model, tmp_path)
    assert not fresh(model)
    holder = apply(tiny("bert"), "lora")
    with pytest.raises(MethodError, match=r"bert\.pooler\.dense\.bias is on one side only"):
        holder.switch(tmp_path)
    assert holder.parameter_counts() == apply(tiny("bert"), "lora").parameter_counts()


def test_peft_reads_it_and_gives_it_back(tmp_path: Path) -> None:
    """peft keeps whole modules beside a method if it is told which."""
    model = marked("bert", seed=1, dtype=torch.float64)
    adapted = apply(model, "lora")
    perturb(adapted)
    batch = inputs(model)
    expected = logits(model, batch)
    adapted.export_peft(tmp_path)
    theirs = PeftModel.from_pretrained(without_pooler("bert", 2, torch.float64), tmp_path).eval()
    torch.testing.assert_close(logits(theirs, batch), expected, rtol=0, atol=1e-10)
    other = without_pooler("bert", 3, torch.float64)
    methods.load(other, tmp_path)
    torch.testing.assert_close(logits(other, batch), expected, rtol=0, atol=1e-10)


def test_what_peft_trained_beside_a_method_is_read(tmp_path: Path) -> None:
    config = LoraConfig(task_type="SEQ_CLS", modules_to_save=["pooler"], target_modules=["query", "value"])
    theirs = get_peft_model(without_pooler("bert", 1, torch.float64), config)
    for parameter in theirs.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.1)
    theirs.eval().save_pretrained(tmp_path)
    model = without_pooler("bert", 2, torch.float64)
    batch = inputs(model)
    methods.load(model, tmp_path)
    torch.testing.assert_close(logits(model, batch), logits(theirs, batch), rtol=0, atol=1e-10)


def test_what_peft_trained_beside_it_in_a_language_model_is_refused(tmp_path: Path) -> None:
    """There is no task head that it would belong to."""
    config = LoraConfig(modules_to_save=["embed_tokens"], target_modules=["q_proj"])
    get_peft_model(tiny("llama", "causal"), config).save_pretrained(tmp_path)
    with pytest.raises(MethodError, match=r"embed_tokens\.weight, which lora has no place for"):
        methods.load(tiny("llama", "causal"), tmp_path)


FOLDERS = [
    ("bert", ("bert.embeddings.token_type_embeddings.weight",)),
    ("deberta-v2", ("deberta.encoder.LayerNorm.weight", "deberta.encoder.LayerNorm.bias")),
    ("bart", ("model.encoder.layernorm_embedding.weight", "model.encoder.layernorm_embedding.bias")),
]


@pytest.mark.parametrize(("architecture", "names"), FOLDERS)
def test_what_lies_deeper_is_a_module_of_its_own_to_peft(
    architecture: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    model = tiny(architecture, dtype=torch.float64)
    mark_fresh(model, names)
    adapted = apply(model, "lora")
    perturb(adapted)
    batch = inputs(model)
    adapted.export_peft(tmp_path)
    theirs = PeftModel.from_pretrained(tiny(architecture, dtype=torch.float64), tmp_path).eval()
    torch.testing.assert_close(logits(theirs, batch), logits(model, batch), rtol=0, atol=1e-10)
    again = methods.load(tiny(architecture, dtype=torch.float64), tmp_path)
    torch.testing.assert_close(logits(again.model, batch), logits(model, batch), rtol=0, atol=1e-10)
    again.export_peft(tmp_path / "again")


@pytest.mark.parametrize(
    ("architecture", "names"),
    [("t5", ("transformer.shared.weight",)), ("bert", ("bert.pooler.dense.bias",))],
)
def test_what_peft_cannot_keep_apart_is_refused(
    architecture: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    """peft gives modules back as a whole, and by their name: a tied one stays in its other place."""
    model = tiny(architecture)
    mark_fresh(model, names)
    with pytest.raises(MethodError, match="as a whole and by one name"):
        apply(model, "lora").export_peft(tmp_path)


@pytest.mark.parametrize("odd", [5, True, "pooler"])
def test_modules_to_save_of_another_type_are_refused(odd: object, tmp_path: Path) -> None:
    apply(marked("bert"), "lora").export_peft(tmp_path)
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"modules_to_save": odd}))
    with pytest.raises(MethodError, match=r"sets modules_to_save to .*, expected a list of names"):
        methods.load(tiny("bert"), tmp_path)


def test_flops_have_no_closed_form_where_what_is_drawn_lies_in_front() -> None:
    """Gradients go through the whole body then."""
    model = tiny("bert")
    mark_fresh(model, ["bert.embeddings.token_type_embeddings.weight"])
    with pytest.raises(AnatomyError, match=r"trains bert\.embeddings.* with its head"):
        apply(model, "head").flops(3, 11)


def test_a_language_model_has_no_task_head() -> None:
    model = tiny("gpt2", "causal")
    with pytest.raises(MethodError, match=r"'transformer.ln_f.bias' .* GPT2LMHeadModel, which has none"):
        mark_fresh(model, ["transformer.ln_f.bias"])
    assert not fresh(model)


def test_a_model_that_is_its_own_body_keeps_it_too(tmp_path: Path) -> None:
    names = ("encoder.layer_norm.weight", "encoder.layer_norm.bias")
    model = tiny("whisper")
    mark_fresh(model, names)
    adapted = apply(model, "lora")
    perturb(adapted)
    adapted.save(tmp_path)
    other = tiny("whisper")
    methods.load(other, tmp_path)
    assert torch.equal(logits(other, inputs(other)), logits(model, inputs(model)))


def test_a_file_without_it_warns_over_a_model_that_drew_one(tmp_path: Path) -> None:
    """Kept before it belonged to the head, or trained on a checkpoint that was whole."""
    apply(tiny("bert"), "lora").save(tmp_path / "lora")
    with pytest.warns(
        IncompleteHeadWarning, match=r"holds no bert.pooler.dense.bias, bert.pooler.dense.weight"
    ):
        methods.load(marked("bert"), tmp_path / "lora")
    apply(tiny("bert"), "full").save(tmp_path / "full")
    methods.load(marked("bert"), tmp_path / "full")  # there it is the method's


@pytest.mark.parametrize("name", [n for n in methods.names() if methods.get(n).served is not None])
def test_every_task_of_a_bank_has_its_own(name: str) -> None:
    tasks = {}
    for number, who in enumerate("ab"):
        tasks[who] = apply(marked("bert", number, torch.float64), name)
        perturb(tasks[who])
    model = without_pooler("bert", 9, torch.float64)
    bank = methods.Bank(model)
    for who, task in tasks.items():
        bank.add(who, task)
    batch = inputs(model)
    with torch.no_grad():
        together = model(**batch, task=["a", "b", "a"]).logits
    for row, who in enumerate("aba"):
        one = {key: value[row : row + 1] for key, value in batch.items()}
        torch.testing.assert_close(together[row : row + 1], logits(tasks[who].model, one), rtol=0, atol=1e-10)
    bank.remove()
    assert equal(state(model), state(without_pooler("bert", 9, torch.float64)))
    assert not fresh(model)
