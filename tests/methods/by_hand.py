"""BERT and GPT-2 written out, with places to put a method's equation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import methods

Hooks = Callable[[Any], dict[str, Any]]
"""What is done in a block: from the block to :func:`bert_layer`'s or :func:`gpt2_layer`'s hooks."""


def bert_layer(layer: Any, x: Tensor, mask: Tensor | None, hooks: dict[str, Any] | None = None) -> Tensor:
    """A BERT block by hand: x (batch x T x d), mask (batch x T) with 1 for real tokens.

    ``hooks`` replaces parts: projections, prefixes, what is done to a sub-layer's output, the last norm.
    """
    hooks = hooks or {}
    attention, heads = layer.attention.self, layer.attention.self.num_attention_heads

    def split(tensor: Tensor) -> Tensor:
        return tensor.unflatten(-1, (heads, -1)).transpose(1, 2)

    q, k, v = (split(hooks.get(n, getattr(attention, n))(x)) for n in ("query", "key", "value"))
    if mask is None:
        mask = torch.ones(x.shape[:2])
    if "prefix" in hooks:
        keys, values = hooks["prefix"]
        k = torch.cat([keys.expand(len(x), -1, -1, -1), k], dim=2)
        v = torch.cat([values.expand(len(x), -1, -1, -1), v], dim=2)
        mask = torch.cat([torch.ones(len(x), keys.shape[1]), mask], dim=1)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(mask[:, None, None] == 0, -math.inf).softmax(-1)
    o = layer.attention.output.dense((weights @ v).transpose(1, 2).flatten(2))
    o = hooks.get("after_attention", lambda u: u)(o)
    x = layer.attention.output.LayerNorm(o + x)
    o = hooks.get("down", layer.output.dense)(F.gelu(layer.intermediate.dense(x)))
    o = hooks.get("after_feed_forward", lambda u: u)(o)
    norm = hooks.get("last", lambda o, x: layer.output.LayerNorm(o + x))
    return norm(o, x)


def bert_logits(made: methods.Adapted, batch: dict[str, Tensor], hooks: Hooks) -> Tensor:
    """A BERT classifier by hand: its own embeddings and head, the blocks written out."""
    body: Any = made.model.base_model
    x = body.embeddings(input_ids=batch["input_ids"])
    for block in made.anatomy.blocks:
        x = bert_layer(block.module, x, batch["attention_mask"], hooks(block.module))
    head: Any = made.model.get_submodule("classifier")
    return head(body.pooler(x))


def gpt2_layer(layer: Any, x: Tensor, mask: Tensor, hooks: dict[str, Any] | None = None) -> Tensor:
    """A GPT-2 block by hand: x (batch x T x d), mask (batch x T) with 1 for real tokens.

    ``hooks`` names what is done to the block's output, after its last residual addition, and what is added to
    the feed-forward's output, made of its input.
    """
    u = layer.ln_1(x)
    parts = (u @ layer.attn.c_attn.weight + layer.attn.c_attn.bias).chunk(3, dim=-1)
    q, k, v = (part.unflatten(-1, (layer.attn.num_heads, -1)).transpose(1, 2) for part in parts)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    allowed = torch.ones(x.shape[1], x.shape[1]).tril()[None, None] * mask[:, None, None]
    weights = scores.masked_fill(allowed == 0, -math.inf).softmax(-1)
    o = (weights @ v).transpose(1, 2).flatten(2)
    x = x + o @ layer.attn.c_proj.weight + layer.attn.c_proj.bias
    hooks, read = hooks or {}, layer.ln_2(x)
    u = F.gelu(read @ layer.mlp.c_fc.weight + layer.mlp.c_fc.bias, approximate="tanh")
    x = x + u @ layer.mlp.c_proj.weight + layer.mlp.c_proj.bias + hooks.get("beside", lambda read: 0)(read)
    return hooks.get("end", lambda x: x)(x)


def gpt2_logits(made: methods.Adapted, batch: dict[str, Tensor], hooks: Hooks) -> Tensor:
    """A GPT-2 classifier by hand: its head reads the last token that is not padding."""
    body: Any = made.model.base_model
    ids, mask = batch["input_ids"], batch["attention_mask"]
    x = body.wte(ids) + body.wpe(torch.arange(ids.shape[1]))
    for block in made.anatomy.blocks:
        x = gpt2_layer(block.module, x, mask, hooks(block.module))
    head: Any = made.model.get_submodule("score")
    return head(body.ln_f(x)[torch.arange(len(ids)), mask.sum(dim=1) - 1])


BY_HAND = {"bert": bert_logits, "gpt2": gpt2_logits}


def against_the_equation(
    made: methods.Adapted, batch: dict[str, Tensor], hooks: Hooks
) -> list[tuple[Tensor, Tensor]]:
    """(the model's, by hand): the logits, and the gradient of every trained tensor."""
    trained = list(made.trained().values())
    found = made.model(**batch).logits
    expected = BY_HAND[made.model.config.model_type](made, batch, hooks)
    labels = torch.arange(len(found))
    ours, theirs = (
        torch.autograd.grad(F.cross_entropy(logits, labels), trained) for logits in (found, expected)
    )
    return [(found, expected), *zip(ours, theirs, strict=True)]
