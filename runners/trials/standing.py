"""Blocks that compute nothing for a while, with something else standing in for what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def instead(blocks: Sequence[nn.Module], returned: Callable[[nn.Module, Tensor], Any]) -> Iterator[None]:
    """Let blocks compute nothing, and return what is made of the block and the states that enter it."""
    before = [vars(block).get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = _short(block, returned)
        yield
    finally:
        for block, own in zip(blocks, before, strict=True):
            vars(block).pop("forward", None)
            if own is not None:
                block.forward = own


def _short(block: nn.Module, returned: Callable[[nn.Module, Tensor], Any]) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        return returned(block, args[0] if args else kwargs["hidden_states"])

    return forward
