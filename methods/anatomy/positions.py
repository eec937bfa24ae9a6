"""How a model numbers its tokens, and how many it can number."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.probing import position_table, reads_ids
from methods.anatomy.small import takes
from methods.errors import AnatomyError


def max_positions(anatomy: Anatomy) -> int | None:
    """How many tokens fit into the input; None where nothing limits them."""
    names = ("max_position_embeddings", "max_seq_len")
    settings = anatomy.config
    if anatomy.model.main_input_name == "input_ids":
        with suppress(ValueError):  # transformers' answer where several parts read text
            settings = settings.get_text_config()
    slots: int | None = next((n for name in names if (n := getattr(settings, name, None))), None)
    table = position_table(anatomy.body)
    return slots if slots is None or table is None else slots - int(table.padding_idx or 0) - 1


def replaces_tokens(anatomy: Anatomy) -> None:
    """Check that embeddings can be handed to the first stack in place of its tokens, and are all it reads.

    Raises:
        AnatomyError: they are not, or that cannot be tried out.
    """
    first, _ = anatomy.stacks[0], anatomy.embedding
    if anatomy.is_known and "inputs_embeds" in takes(first.root):
        return
    why = reads_ids(anatomy.model, first.layout.root, str(first.layout.embedding))
    if why is not None:
        raise AnatomyError(f"{anatomy} has no place for a prompt: {why}.")


def packed(inputs: dict[str, Any]) -> bool:
    """Whether a stack's inputs are several texts a row, as transformers tells it.

    That is, without a mask, by positions that do not follow each other, or by what flash attention is told.
    """
    positions: Tensor | None = inputs.get("position_ids")
    if any(inputs.get(name) is not None for name in ("cu_seq_lens_q", "cu_seq_lens_k", "seq_idx")):
        return True
    if positions is None or inputs.get("attention_mask") is not None or cached_length(inputs):
        return False
    return bool((positions.diff(dim=-1) != 1).any())


def numbers_positions(anatomy: Anatomy) -> bool:
    """Whether positions can be passed to a lone stack, and mean anything there."""
    (first, *others) = anatomy.stacks
    return "position_ids" in takes(first.root) and not others and anatomy.fact(first, "positions") != "none"


def causal_positions(anatomy: Anatomy, inputs: dict[str, Any], ids: Tensor | None, length: int) -> Tensor:
    """The positions that a causal model would number its input with.

    Args:
        anatomy: the model.
        inputs: keyword arguments of the stack's forward.
        ids: the tokens (batch x length), None when embeddings were passed.
        length: of the input.

    Returns:
        (batch or 1 x length).
    """
    past = cached_length(inputs)
    mask: Tensor | None = inputs.get("attention_mask")
    if anatomy.fact(anatomy.stacks[0], "positions") == "mask" and mask is not None:
        return ((mask.cumsum(dim=1) * mask - 1).long())[:, past:]
    device = anatomy.embedding.weight.device if ids is None else ids.device
    return torch.arange(past, past + length, device=device)[None]


def explicit_positions(
    anatomy: Anatomy, input_ids: Tensor | None, put_in: Callable[[Tensor], Tensor]
) -> Tensor | None:
    """Positions to pass when embeddings are put in among those of tokens.

    Args:
        anatomy: the model.
        input_ids: the user's tokens (batch x length), None when embeddings were passed.
        put_in: from a mask (batch x length) of tokens that are no padding, to that of all that is numbered
            (batch x (length + n)).

    Returns:
        (batch x (length + n)), or None where the model's own numbering is right.
    """
    if anatomy.fact(anatomy.stacks[0], "positions") != "tokens" or input_ids is None:
        return None
    table = position_table(anatomy.body)
    padding = int(table.padding_idx or 0) if table is not None else 0
    real = put_in(input_ids.ne(padding).int())
    return (real.cumsum(dim=1) * real).long() + padding


def cached_length(inputs: dict[str, Any]) -> int:
    """How many positions a stack's key/value cache holds already, 0 without one."""
    cache = inputs.get("past_key_values")
    return 0 if cache is None else int(cache.get_seq_length())
