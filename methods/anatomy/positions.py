"""How a model numbers its tokens, and how many it can number."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.discovery import position_table


def max_positions(anatomy: Anatomy) -> int | None:
    """How many tokens fit into the input; None where nothing limits them."""
    slots: int | None = getattr(anatomy.config, "max_position_embeddings", None)
    table = position_table(anatomy.body)
    return slots if slots is None or table is None else slots - int(table.padding_idx or 0) - 1


def numbers_positions(anatomy: Anatomy) -> bool:
    """Whether positions can be passed to a lone stack, and mean anything there."""
    (first, *others) = anatomy.stacks
    takes = "position_ids" in inspect.signature(first.root.forward).parameters
    return takes and not others and first.layout.positions != "none"


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
    if anatomy.stacks[0].layout.positions == "mask" and mask is not None:
        return ((mask.cumsum(dim=1) * mask - 1).long())[:, past:]
    device = anatomy.embedding.weight.device if ids is None else ids.device
    return torch.arange(past, past + length, device=device)[None]


def explicit_positions(anatomy: Anatomy, input_ids: Tensor | None, at: int, extra: int) -> Tensor | None:
    """Positions to pass when ``extra`` embeddings are put in at index ``at``.

    Args:
        anatomy: the model.
        input_ids: the user's tokens (batch x length), None when embeddings were passed.
        at: index of the first new position.
        extra: how many are put in.

    Returns:
        (batch x (length + extra)), or None where the model's own numbering is right.
    """
    if anatomy.stacks[0].layout.positions != "tokens" or input_ids is None:
        return None
    table = position_table(anatomy.body)
    padding = int(table.padding_idx or 0) if table is not None else 0
    real = input_ids.ne(padding).int()
    new = real.new_ones(real.shape[0], extra)
    real = torch.cat([real[:, :at], new, real[:, at:]], dim=1)
    return (real.cumsum(dim=1) * real).long() + padding


def cached_length(inputs: dict[str, Any]) -> int:
    """How many positions a stack's key/value cache holds already, 0 without one."""
    cache = inputs.get("past_key_values")
    return 0 if cache is None else int(cache.get_seq_length())
