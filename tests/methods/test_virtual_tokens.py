"""Prefix and prompt beside positions, masks and outputs of every form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Cache

import methods
from methods import MethodError

from .cells import apply, perturb, why_not
from .conftest import tiny

PACKERS = ("llama", "mistral", "qwen2", "qwen3", "gemma", "phi3", "gpt2", "gpt_neox", "glm", "mixtral")
"""Decoders of which transformers keeps apart several texts in a row."""


def ids(length: int = 11, rows: int = 1) -> Tensor:
    return torch.randint(4, 120, (rows, length), generator=torch.Generator().manual_seed(1))


def restarting(*lengths: int) -> Tensor:
    return torch.cat([torch.arange(length) for length in lengths])[None]


@pytest.mark.parametrize("architecture", PACKERS)
def test_every_packed_text_sees_the_prefix(architecture: str) -> None:
    model = tiny(architecture)
    perturb(apply(model, "prefix"), 0.5)
    body, row = model.base_model, ids()
    with torch.no_grad():
        packed = body(input_ids=row, position_ids=restarting(4, 7), use_cache=False)[0]
        alone = [body(input_ids=part)[0] for part in row.split((4, 7), dim=1)]
    assert torch.allclose(packed, torch.cat(alone, dim=1), atol=1e-4)


ODD: list[tuple[str, dict[str, Any]]] = [
    ("one text a row", {"position_ids": restarting(4, 7)}),
    ("one text a row", {"position_ids": restarting(4, 7), "use_cache": False}),
    ("one text a row", {"cu_seq_lens_q": torch.tensor([0, 4, 11], dtype=torch.int32)}),
    (r"an attention mask of .*received \(1, 1, 11, 11\)", {"attention_mask": torch.ones(1, 1, 11, 11)}),
    ("an attention mask of .*received dict", {"attention_mask": {"full_attention": None}}),
    (r"positions of .*received \(3, 1, 11\)", {"position_ids": torch.arange(11).expand(3, 1, 11)}),
]


@pytest.mark.parametrize(("answer", "inputs"), ODD)
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "glm", "bert"])
def test_a_prompt_that_has_no_one_place_is_refused(
    architecture: str, answer: str, inputs: dict[str, Any]
) -> None:
    model = tiny(architecture)
    perturb(apply(model, "prompt"), 0.5)
    body, row = model.base_model, ids()
    with torch.no_grad():
        before = body(input_ids=row)[0]
        with pytest.raises(MethodError, match=answer):
            body(input_ids=row, **inputs)
        assert torch.equal(body(input_ids=row)[0], before)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "falcon", "bert"])
def test_positions_of_one_text_are_those_without_them(architecture: str) -> None:
    model = tiny(architecture)
    perturb(apply(model, "prompt"), 0.5)
    body, row = model.base_model, ids()
    with torch.no_grad():
        own = body(input_ids=row)[0]
        said = body(input_ids=row, position_ids=restarting(11))[0]
    assert torch.allclose(own, said, atol=1e-5)


def tensors(output: Any) -> Iterator[Tensor]:
    """Everything in an output that has a row for each token."""
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, tuple) else ()
    for part in parts:
        if isinstance(part, Tensor) and part.ndim == 3:
            yield part
        yield from tensors(part)


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize(
    "architecture", ["bert", "modernbert", "gpt2", "llama", "opt", "falcon", "mpt", "glm"]
)
def test_what_comes_out_is_as_long_as_the_input(architecture: str, as_dict: bool) -> None:
    head = "causal" if architecture not in ("bert", "modernbert") else "classify"
    assert why_not("prompt", architecture, head) is None
    model = tiny(architecture, head)
    apply(model, "prompt")
    for module in (model, model.base_model):
        with torch.no_grad():
            output = module(input_ids=ids(), output_hidden_states=True, return_dict=as_dict)
        assert {tensor.shape[1] for tensor in tensors(output)} == {11}
        parts = output.values() if as_dict else output
        assert {part.get_seq_length() for part in parts if isinstance(part, Cache)} <= {11}


def test_a_cache_in_a_tuple_is_gone_on_from() -> None:
    model = tiny("llama", "causal")
    perturb(apply(model, "prompt"), 0.5)
    with torch.no_grad():
        whole = model(input_ids=ids()).logits
        first = model(input_ids=ids()[:, :6], use_cache=True, return_dict=False)
        cache = next(part for part in first if isinstance(part, Cache))
        rest = model(input_ids=ids()[:, 6:], past_key_values=cache).logits
    assert torch.allclose(torch.cat([first[0], rest], dim=1), whole, atol=1e-4)


def test_an_attention_of_its_own_is_seen_where_its_file_has_others() -> None:
    """transformers looks at the file of a model; its attention may be another one."""
    model = tiny("llama")

    class Own(type(model.base_model.layers[1].self_attn)):  # type: ignore[misc]
        def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
            return self.o_proj(self.v_proj(hidden_states).repeat_interleave(2, dim=-1)), None

    model.base_model.layers[1].self_attn.__class__ = Own
    with pytest.raises(MethodError, match="without transformers' attention functions"):
        methods.apply(model, "prefix")
