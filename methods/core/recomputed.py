"""Blocks that are computed again in the backward pass (activation checkpointing), in torch's reentrant way.

That way what trains inside a block gets a gradient only if an input of the block needs one, and behind frozen
embeddings none does: the gradients would be missing without a word. So the first block that something trains
in is given an input that needs one. Tensors that are made once for several blocks cannot be had that way:
every block goes back through what made them for itself, and the second one finds it gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers.modeling_layers import GradientCheckpointingLayer

from methods.errors import MethodError


def let_gradients_in(model: nn.Module, trained: Iterable[nn.Parameter]) -> list[RemovableHandle]:
    """Let gradients reach what trains inside of blocks; return the hooks that do it.

    Args:
        model: the model, of whose lists of blocks each is a stack.
        trained: what trains.
    """
    ids = {id(parameter) for parameter in trained}
    handles = []
    for stack in model.modules():
        if isinstance(stack, nn.ModuleList):
            for block in stack:
                if not isinstance(block, GradientCheckpointingLayer):
                    break
                if any(id(parameter) in ids for parameter in block.parameters()):
                    handles.append(block.register_forward_pre_hook(_needs_gradient))
                    break
    return handles


def refuse_reentrant(root: nn.Module, what: str) -> None:
    """Refuse a pass through a stack whose blocks are computed again in the reentrant way.

    Raises:
        MethodError: it is one.
    """
    block = next((m for m in root.modules() if isinstance(m, GradientCheckpointingLayer)), None)
    if block is not None and _is_reentrant(block):
        raise MethodError(
            f"{what} once for all blocks, which reentrant checkpointing computes apart: call "
            "model.activation_checkpointing_enable({'use_reentrant': False})."
        )


def _is_reentrant(block: GradientCheckpointingLayer) -> bool:
    if not (block.gradient_checkpointing and block.training and torch.is_grad_enabled()):
        return False
    function = getattr(block, "_gradient_checkpointing_func", None)
    return bool(getattr(function, "keywords", {}).get("use_reentrant", True))


def _needs_gradient(block: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Replace an input that needs no gradient; a forward pre-hook, outside of what is computed again."""
    if not args or not _is_reentrant(block) or any(isinstance(a, Tensor) and a.requires_grad for a in args):
        return None
    return (args[0].detach().requires_grad_(), *args[1:])
