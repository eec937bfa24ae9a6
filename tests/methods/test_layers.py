"""The option `layers`: the same method in some blocks, and in nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods.anatomy import Anatomy
from runners.measure.flops import counted

from .cells import OPTIONS, equal, perturb, state, why_not
from .conftest import inputs, logits, seed, tiny, train

NAMES = [
    name
    for name in methods.names()
    if (field := methods.get(name).options.model_fields.get("layers")) and field.default is None
]
BEYOND = ["houlsby", "bitfit", "ln"]
"""Methods that train in no block too, where all of the model is theirs."""
SETS: list[tuple[str, str, dict[str, Any], Any, set[int]]] = [
    ("bert", "classify", {"num_hidden_layers": 3}, [1], {1}),
    ("bert", "classify", {"num_hidden_layers": 3}, "last:2", {1, 2}),
    ("gpt2", "causal", {}, 0, {0}),
    ("t5", "seq2seq", {}, "1,3", {1, 3}),  # the encoder's second block and the decoder's
    ("bart", "classify", {}, "2-3", {2, 3}),  # the decoder's alone
    ("albert", "classify", {"num_hidden_layers": 3}, "0", {0}),  # one block, which runs three times
]
CELLS = [(name, *case) for name in NAMES for case in SETS if why_not(name, *case[:2]) is None]


def apply(model: Any, name: str, layers: Any) -> methods.Adapted:
    seed(11)
    return methods.apply(model, name, **OPTIONS.get(name, {}), layers=layers)


OF_THE_BODY = ("prefix", "vera")
"""What a method puts into no block: the prefix's MLP, the matrices that layers share."""


def outside(model: Any, numbers: set[int]) -> dict[str, tuple[Any, ...]]:
    """All modules but those in some blocks, and but those of a method: class, what it holds itself, hooks."""
    anatomy = Anatomy(model)
    inside = tuple(f"{block.path}." for n, block in enumerate(anatomy.blocks) if n in numbers)
    roots = {stack.layout.root for stack in anatomy.stacks}
    return {
        path: (
            type(module),
            [name for name, _ in module.named_parameters(recurse=False)],
            [name for name in module._modules if name not in OF_THE_BODY],
            0 if path in roots else len(module._forward_hooks),
            len(module._forward_pre_hooks) if isinstance(module, torch.nn.Linear) else 0,
        )
        for path, module in anatomy.body.named_modules()
        if not f"{path}.".startswith((*inside, *(f"{name}." for name in OF_THE_BODY)))
    }


@pytest.mark.parametrize(("name", "architecture", "head", "changes", "layers", "numbers"), CELLS)
def test_a_method_in_some_blocks(
    name: str,
    architecture: str,
    head: str,
    changes: dict[str, Any],
    layers: Any,
    numbers: set[int],
    tmp_path: Path,
) -> None:
    model = tiny(architecture, head, **changes)
    before, values, shape = outside(model, numbers), state(model), str(model)
    adapted = apply(model, name, layers)
    assert outside(model, numbers) == before
    blocks = [block.path for n, block in enumerate(adapted.anatomy.blocks) if n in numbers]
    own = {key.removeprefix("method.") for key in adapted.trained() if key.startswith("method.")}
    where = {next((b for b in blocks if key.startswith(f"{b}.")), key.split(".")[0]) for key in own}
    assert where == set(blocks) or (name == "prefix" and where == {"prefix"})
    # Closed forms.
    count = adapted.method.count(adapted.sizes.geometry, adapted.options)
    assert sum(count.values()) == adapted.parameter_counts()["method"]
    kept = adapted.method.count(adapted.sizes.geometry, adapted.stored_options)
    sizes = (adapted.sizes.geometry, adapted.options)
    assert sum(kept.values()) == adapted.stored_count() == adapted.method.count_stored(*sizes)
    assert adapted.method.count_head(*sizes) == adapted.parameter_counts()["head"]
    assert adapted.flops(3, 11) == counted(model, 3, 11)
    # Only that trains, and it does.
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}
    start = {n: p.detach().clone() for n, p in adapted.trained().items()}
    train(model, steps=2)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[n], p) for n, p in frozen.items())
    assert not [n for n, p in adapted.trained().items() if torch.equal(p, start[n])]
    # Saved, merged, removed.
    batch = inputs(model)
    expected = logits(model, batch)
    loaded = methods.load(tiny(architecture, head, **changes), adapted.save(tmp_path))
    assert loaded.options.layers == adapted.options.layers  # type: ignore[attr-defined]
    assert torch.equal(logits(loaded.model, batch), expected)
    if adapted.method.mergeable:
        adapted.merge()
        assert torch.allclose(logits(model, batch), expected, atol=5e-5)
        adapted.unmerge()
        assert torch.equal(logits(model, batch), expected)
    adapted.remove()
    assert equal(state(model), values)
    assert str(model) == shape


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BEYOND])
def test_all_blocks_are_the_default(name: str) -> None:
    """But where a method also trains what lies in no block: normalisation layers, biases."""
    found = []
    for layers in (None, [1, 0]):
        model = tiny("gpt2")
        adapted = apply(model, name, layers)
        perturb(adapted)
        found.append((logits(model, inputs(model)), adapted.parameter_counts()))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("name", BEYOND)
def test_what_lies_in_no_block_stays_frozen(name: str) -> None:
    model = tiny("bert")
    adapted = apply(model, name, "0-1")
    assert not any(key.startswith("method.embeddings") for key in adapted.trained())
    assert any(key.startswith("method.embeddings") for key in apply(tiny("bert"), name, None).trained())
    if name == "bitfit":  # the pooler's bias counts with the head
        assert "head.body.pooler.dense.bias" in adapted.trained()


READ: list[tuple[Any, tuple[int, ...] | None]] = [
    (None, None),
    ([5, 0, 1], (0, 1, 5)),
    (3, (3,)),
    ("0-3", (0, 1, 2, 3)),
    ("0, 2,4", (0, 2, 4)),
    ("0-1,7", (0, 1, 7)),
    (("0-1", "7"), (0, 1, 7)),  # what `layers=0-1+7` becomes on the command line
    ("last:2", (-2, -1)),
    ("-1", (-1,)),
    ([-1, 0], (0, -1)),
]


@pytest.mark.parametrize(("written", "read"), READ)
def test_blocks_are_written_in_many_ways(written: Any, read: tuple[int, ...] | None) -> None:
    options = methods.get("lora").options.parse("lora", {"layers": written})
    assert options.layers == read  # type: ignore[attr-defined]
    told = options.told()
    assert told.get("layers") == (None if read is None else list(read))
    assert methods.get("lora").options.parse("lora", told) == options


EXPECTED = "is not valid: expected numbers of blocks such as"
WRONG: list[tuple[Any, str]] = [
    *((value, EXPECTED) for value in (True, 1.5, "x", "3-1", "last:0", "1:2", "", "0-99999", [["a"]], {})),
    ([], "is not valid: expected at least one block"),
    ([1, 1], "is not valid: each block may be named once"),
    ([0, -2], r"names one twice"),
    (2, r"BertForSequenceClassification \(bert\) has no block 2, its 2 blocks are 0 to 1"),
    ("0-9", "has no block 2, its 2 blocks"),
    ("last:3", "has no block -3"),
]


@pytest.mark.parametrize(("written", "words"), WRONG)
def test_blocks_that_are_not_there_are_one_sentence(written: Any, words: str) -> None:
    model = tiny("bert")
    values, shape = state(model), str(model)
    for name in ("lora", "bitfit"):
        with pytest.raises(methods.OptionError, match=words) as caught:
            methods.apply(model, name, layers=written)
        assert str(caught.value).count(". ") == 0
    assert equal(state(model), values)
    assert str(model) == shape


def test_a_switch_may_move_to_other_blocks() -> None:
    model, there = tiny("bert"), apply(tiny("bert"), "lora", 0)
    perturb(there)
    adapted = apply(model, "lora", 1)
    adapted.merge()
    adapted.switch(there.checkpoint())
    there.merge()
    assert equal(state(model), state(there.model))
    adapted.remove()
    assert equal(state(model), state(tiny("bert")))


def test_a_prefix_in_some_blocks_is_none_of_pefts(tmp_path: Path) -> None:
    adapted = methods.apply(tiny("gpt2", "causal"), "prefix", length=3, layers=[1])
    with pytest.raises(methods.MethodError, match="in blocks 1 alone, and peft has one in every block"):
        adapted.export_peft(tmp_path / "peft")
    assert not list(tmp_path.iterdir())
