"""`vera` against the equation of arXiv 2310.11454, and the matrices that all layers share."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

import methods
from methods.modules.vera import Projections, VeraLinear
from methods.vera import VeraOptions

from .by_hand import against_the_equation
from .cells import equal, perturb, state
from .conftest import inputs, logits, text, tiny
from .parity import Record, agree

EVERY = "query,key,value,output,up,down"


def adapted(architecture: str = "bert", **options: Any) -> methods.Adapted:
    changes = {"dtype": options.pop("dtype")} if "dtype" in options else {}
    made = methods.apply(tiny(architecture, **changes), "vera", **({"rank": 6, "seed": 3} | options))
    perturb(made, 0.3)
    return made


def updated(layer: Any, role: str, x: Tensor) -> Tensor:
    """W0 x + b + L_b B L_d A x, with as much of A and B as the layer has inputs and outputs."""
    assert isinstance(layer, VeraLinear)
    part, (shared,) = layer.parts[role], layer.shared
    out, into = layer.base.weight.shape
    update = torch.diag(part.vera_b) @ shared.B[:out] @ torch.diag(part.vera_d) @ shared.A[:, :into]
    return x @ (layer.base.weight + update).T + layer.base.bias


def hooks(block: Any) -> dict[str, Any]:
    """The projections, and the wide input of the last feed-forward layer."""
    attention, down = block.attention.self, block.output.dense
    found = {
        name: lambda x, name=name: updated(getattr(attention, name), name, x) for name in ("query", "value")
    }
    return found | {"down": lambda f: updated(down, "down", f)}


def test_the_equation(record_property: Record) -> None:
    made = adapted(dtype=torch.float64, target="query,value,down")
    shared = made.anatomy.body.vera
    assert (shared.A.shape, shared.B.shape) == ((6, 48), (32, 6))
    pairs = against_the_equation(made, text(made.model), hooks)
    assert len(pairs) == 1 + 2 * 3 * 2 + 2
    agree(record_property, "equation", "vera", "bert: layers of two sizes", pairs)


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox"])
def test_slices(architecture: str, record_property: Record) -> None:
    """On a fused projection query and value have vectors of their own, as if each were a layer."""
    made = adapted(architecture, dtype=torch.float64)
    model, shared = tiny(architecture, dtype=torch.float64), made.anatomy.body.vera
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    fused = {"gpt2": "h.{}.attn.c_attn", "gpt_neox": "layers.{}.attention.query_key_value"}[architecture]
    trained = made._injection.live
    leaves = {name: p.detach().clone().requires_grad_() for name, p in trained.items()}
    weights, merged = dict(model.named_parameters()), dict(made.head)
    for block in range(2):
        path = fused.format(block)
        update = torch.zeros(3, 32, 32, dtype=torch.float64)  # query, key, value
        for index, role in ((0, "query"), (2, "value")):
            b, d = leaves[f"{path}.{role}.vera_b"], leaves[f"{path}.{role}.vera_d"]
            update[index] = torch.diag(b) @ shared.B @ torch.diag(d) @ shared.A
        w0 = weights[f"{prefix}{path}.weight"].detach()
        if architecture == "gpt2":  # query, key, value one after the other, stored (in x out)
            merged[f"{prefix}{path}.weight"] = w0 + update.flatten(0, 1).T
        else:  # every head's query, key and value together
            by_head = update.view(3, 4, 8, 32).transpose(0, 1).reshape(96, 32)
            merged[f"{prefix}{path}.weight"] = w0 + by_head
    batch = text(model)
    found, expected = made.model(**batch).logits, functional_call(model, merged, kwargs=batch).logits
    ours = torch.autograd.grad(found.square().sum(), list(trained.values()))
    theirs = torch.autograd.grad(expected.square().sum(), list(leaves.values()))
    pairs = [(found, expected), *zip(ours, theirs, strict=True)]
    agree(record_property, "equation", "vera", f"{architecture}: slices", pairs)


def test_counts_are_the_papers() -> None:
    """Table 1 and the tables of GLUE: 2 L (r + d) for query and value; see also test_adapted.py."""
    geometry = methods.apply(tiny("bert"), "vera").sizes.geometry
    assert methods.get("vera").count(geometry, VeraOptions(rank=7)) == {"d": 4 * 7, "b": 4 * 32}
    down = VeraOptions(rank=7, target=("up", "down"))
    assert methods.get("vera").count(geometry, down) == {"d": 4 * 7, "b": 2 * (48 + 32)}


# The shared matrices ----------------------------------------------------------------------------------


def layers(model: Any) -> list[VeraLinear]:
    return [module for module in model.modules() if isinstance(module, VeraLinear)]


def share_their_own(model: Any) -> bool:
    """Whether every layer computes with the one pair of matrices that the model holds."""
    held = [module for module in model.modules() if isinstance(module, Projections)]
    found = layers(model)
    return len(held) == 1 and len(found) == 4 and all(layer.shared[0] is held[0] for layer in found)


def test_there_is_one_pair_and_it_is_not_stored(tmp_path: Path) -> None:
    made = adapted()
    assert share_their_own(made.model)
    names = dict(made.model.named_buffers())
    assert [name for name in names if name.endswith((".A", ".B"))] == ["bert.vera.A", "bert.vera.B"]
    assert not [name for name in made.model.state_dict() if name.endswith((".A", ".B"))]
    size = (tmp_path / "paretune.safetensors", made.save(tmp_path))[0].stat().st_size
    assert size < 4 * made.parameter_counts()["trainable"] + 4096
    assert made.stored_options.seed == 3


@pytest.mark.parametrize("merged", [False, True])
def test_a_copy_has_a_pair_of_its_own(merged: bool) -> None:
    made = adapted()
    batch = text(made.model)
    expected = logits(made.model, batch)
    if merged:
        made.merge()
    file = io.BytesIO()
    torch.save(made.model, file)
    file.seek(0)
    for twin in (copy.deepcopy(made.model), torch.load(file, weights_only=False)):
        handle = methods.adapted(twin)
        if merged:
            assert not layers(twin)
            handle.unmerge()
        assert share_their_own(twin)
        assert layers(twin)[0].shared[0] is not made._injection.changes[0].child
        assert torch.equal(logits(twin, batch), expected)
        twin.double()
        assert twin.bert.vera.A.dtype == torch.float64
        assert made._injection.changes[0].child.A.dtype == torch.float32


def test_while_merged_the_model_is_the_bases_and_the_pair_follows_it() -> None:
    made = adapted(target=EVERY)
    batch = text(made.model)
    expected = logits(made.model, batch)
    made.merge()
    assert not hasattr(made.model.bert, "vera")
    assert {n for n, _ in made.model.named_buffers()} == {n for n, _ in tiny("bert").named_buffers()}
    made.model.double()
    made.unmerge()
    assert made.model.bert.vera.A.dtype == made.model.bert.vera.B.dtype == torch.float64
    assert torch.allclose(logits(made.model, batch).float(), expected, atol=1e-5)
    made.remove()
    assert equal(state(made.model), state(tiny("bert").double()))


def test_another_seed_is_another_task() -> None:
    """A switch brings the matrices of the other checkpoint's seed, and back."""
    made, other = adapted(), adapted(seed=4, rank=3)
    batch = inputs(made.model)
    own, here = made.checkpoint(), logits(made.model, batch)
    made.merge()
    made.switch(other.checkpoint())
    made.unmerge()
    assert torch.equal(logits(made.model, batch), logits(other.model, batch))
    made.switch(own)
    assert torch.equal(logits(made.model, batch), here)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rank": 0}, "rank=0"), ({"d_initial": 0}, "d_initial=0"), ({"seed": -1}, "seed=-1")],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(methods.OptionError, match=words):
        methods.apply(tiny("bert"), "vera", **options)
