"""Dropout on a CPU with random numbers of 16 bits: torch draws a longer one for each value, and slowly.

The numbers come from torch's global generator, so that seeds and snapshots hold, four from each draw. The
rate is rounded to 1 / 65,536, and what is kept is scaled by the inverse of exactly the share that is kept, so
that the mean stays. On other devices torch's own dropout is used.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

VALUES: Final = 1 << 16
"""Of a number of 16 bits."""
IN_A_DRAW: Final = 4
"""Of them in one of 64 bits."""
MARK: Final = "_draws_cheaply"
"""The attribute of the modules of a model that does: another one in this process is left as it is."""


class Dropout(nn.Dropout):
    """torch's dropout with cheaper random numbers."""

    def forward(self, input: Tensor) -> Tensor:
        """A tensor of the same shape; in training a share of its values is zero and the rest scaled up."""
        if not self.training or self.inplace or input.device.type != "cpu":
            return super().forward(input)
        return _dropped(input, self.p)


def _dropped(input: Tensor, rate: float) -> Tensor:
    dropped = round(rate * VALUES)
    if not 0 < dropped < VALUES:
        return F.dropout(input, rate)
    draws = torch.empty(-(-input.numel() // IN_A_DRAW), dtype=torch.int64).random_(-(1 << 63), None)
    numbers = draws.view(torch.int16)[: input.numel()].view(input.shape)
    kept = numbers.ge(dropped - VALUES // 2).to(input.dtype)
    return input * kept.mul_(VALUES / (VALUES - dropped))


def draw_cheaply(model: nn.Module) -> None:
    """Let every dropout of a model that is torch's own draw so from now on, and that of its attentions."""
    for module in model.modules():
        setattr(module, MARK, True)
        if type(module) is nn.Dropout:
            module.__class__ = Dropout


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention with dropout, of (batch x heads x tokens x size) each; without it is transformers' own.

    torch's fused attention has no dropout on a CPU, and is taken apart in a way that takes longer than the
    equation, in 16 bits three times as long.
    """
    own = getattr(module, MARK, False) and dropout and query.device.type == "cpu" and not _more(kwargs)
    if not own:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **kwargs
        )
    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query * scale, key.transpose(-2, -1))
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    if attention_mask is None and is_causal and query.shape[2] > 1:  # a last token alone sees all before it
        attention_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    elif attention_mask is not None:
        scores = scores + attention_mask
    shares = _dropped(scores.softmax(dim=-1), dropout).to(value.dtype)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), None


def _more(kwargs: dict[str, Any]) -> bool:
    """Whether an attention is to do more than queries, keys and values say (T5's positions, paged caches).

    What transformers' own attention refuses (a cap on the scores) it is to refuse here too.
    """
    return any(kwargs.get(name) is not None for name in ("position_bias", "cache", "s_aux", "softcap"))


AttentionInterface.register("sdpa", _attend)
