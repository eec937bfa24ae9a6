"""A layout for an architecture that has none, discovered by the names and shapes of its modules."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

from methods.anatomy.layers import is_linear, is_norm, sizes
from methods.anatomy.layouts import FEED_FORWARD_ROLES, LAYOUTS, Attention, Layout
from methods.errors import AnatomyError

PROBE = 4
"""Tokens of the input that tells whether a model is causal."""

_NAMES: dict[str, tuple[str, ...]] = {
    "query": ("q_proj", "query", "q_lin", "query_proj", "q", "wq", "w_q", "linear_q"),
    "key": ("k_proj", "key", "k_lin", "key_proj", "k", "wk", "w_k", "linear_k"),
    "value": ("v_proj", "value", "v_lin", "value_proj", "v", "wv", "w_v", "linear_v"),
    "output": ("o_proj", "out_proj", "output.dense", "dense", "out_lin", "o", "wo", "linear_out"),
    "up": ("up_proj", "fc1", "intermediate.dense", "lin1", "c_fc", "wi_1", "wi", "w1", "linear1"),
    "down": ("down_proj", "fc2", "output.dense", "lin2", "c_proj", "wo", "w2", "linear2"),
    "gate": ("gate_proj", "wi_0", "w3"),
}


def described(model: PreTrainedModel) -> str:
    """A model in an error message."""
    return f"{type(model).__name__} ({model.config.model_type})"


def missing(model: PreTrainedModel, role: str) -> AnatomyError:
    """The error for a role that a model does not have."""
    return AnatomyError(
        f"{described(model)} has no {role} that Paretune can find; known architectures are "
        f"{', '.join(LAYOUTS)}: to add one, describe it as a Layout in methods/anatomy/layouts.py."
    )


def discover(model: PreTrainedModel) -> Layout:
    """Find the roles of an unknown architecture by the names and shapes of its modules.

    The longest list of modules of one class, inside no other such list, is taken as the blocks; within a
    block, a role is a linear layer of one of the usual names whose shape fits it. What is not found, or is
    there several times, is left open: only who asks for it gets an error. A body with a normalisation layer
    behind its blocks is taken as pre-norm, any other as post-norm with the block's last one at its end.
    Whether it is causal is tried out, see :func:`is_causal`.

    Raises:
        AnatomyError: there are no blocks of one stack. It names the model.
    """
    body: nn.Module = model.base_model
    text = model.config.get_text_config()
    if text is not model.config:
        raise AnatomyError(
            f"{described(model)} is made of several models, and which one to adapt cannot be told: pass its "
            f"text part ({text.model_type}) alone."
        )
    lists = {
        path: module
        for path, module in body.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) and _linears(module[0])
        if len({type(child) for child in module}) == 1
    }
    outer = [path for path in lists if not any(path.startswith(f"{other}.") for other in lists)]
    if not outer or getattr(text, "is_encoder_decoder", False):
        raise missing(model, "block structure")
    path = max(outer, key=lambda name: len(lists[name]))
    block, width = lists[path][0], text.hidden_size
    experts = any(
        name.split(".")[-1] == "experts" for part in lists[path] for name, _ in part.named_modules()
    )
    linears = _linears(block)
    table = model.get_input_embeddings()
    embedding = next((name for name, module in body.named_modules() if module is table), None)

    def find(role: str, out: int | None, into: int | None, taken: tuple[str | None, ...] = ()) -> str | None:
        for usual in _NAMES[role]:
            fitting = [
                name
                for name, layer in linears.items()
                if (name == usual or name.endswith(f".{usual}")) and name not in taken
                if sizes(layer)[1] == into and out in (None, sizes(layer)[0])
            ]
            if fitting:
                return fitting[0] if len(fitting) == 1 or role not in FEED_FORWARD_ROLES else None
        return None

    def rows(name: str | None) -> int | None:
        return None if name is None else sizes(linears[name])[0]

    query, key, value = (find(role, None, width) for role in ("query", "key", "value"))
    output = find("output", width, rows(query), (query, key, value))
    up = down = gate = None
    if not experts:
        up = find("up", None, width, (query, key, value, output))
        down = find("down", width, rows(up), (output, up)) if up else None
        gate = find("gate", rows(up), width, (up,)) if up else None
    norms = [name for name, module in block.named_modules() if is_norm(module)]
    root, _, own = path.rpartition(".")
    siblings = list(body.get_submodule(root).named_children())
    behind = siblings[[name for name, _ in siblings].index(own) + 1 :]
    pre_norm = any(is_norm(module) for _, module in behind)
    causal = is_causal(model, block)
    # Sandwich blocks (Gemma 2, OLMo 2) normalise each sub-layer's output before they add it.
    sandwich = hasattr(block, "post_feedforward_layernorm")
    ends = ("post_attention_layernorm", "post_feedforward_layernorm") if sandwich else (output, down)
    attention_output, feed_forward_output = (
        end if end is None or sandwich else _with_dropout(block, end) for end in ends
    )
    return Layout(
        blocks=path,
        embedding=embedding,
        attention=Attention(query.rpartition(".")[0] if query else None, query, key, value, output),
        gate=gate,
        up=up,
        down=down,
        attention_output=attention_output,
        feed_forward_output=feed_forward_output,
        block_norm=None if pre_norm or sandwich or not norms else norms[-1],
        experts=experts,
        causal=causal,
        pools_first_token=not causal,
        positions="tokens" if position_table(body) is not None else "sequence",
    )


def is_causal(model: PreTrainedModel, block: nn.Module) -> bool:
    """Whether a token is kept from what stands behind it: tried out where the model has weights.

    The first hidden state of an input is compared with that of one that differs in its last token.
    """
    table = model.get_input_embeddings()
    said = any(getattr(module, "is_causal", False) for module in block.modules())
    if not isinstance(table, nn.Embedding) or table.weight.is_meta or len(table.weight) < PROBE + 2:
        return said
    ids = torch.arange(len(table.weight) - PROBE - 1, len(table.weight) - 1, device=table.weight.device)[None]
    other = ids.clone()
    other[0, -1] += 1
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            first, second = (model.base_model(input_ids=each)[0] for each in (ids, other))
    except torch.OutOfMemoryError:  # what else is on the machine must not decide it
        raise
    except Exception:  # whatever a model asks for beside ids, it is not known here
        return said
    finally:
        for module, training in modes:
            module.training = training
    return bool(torch.equal(first[:, 0], second[:, 0]) and not torch.equal(first, second))


def position_table(body: nn.Module) -> nn.Embedding | None:
    """The table of a model that numbers tokens RoBERTa's way: it has a padding index of its own."""
    found = [m for name, m in body.named_modules() if name.endswith("position_embeddings")]
    tables = [m for m in found if isinstance(m, nn.Embedding) and m.padding_idx is not None]
    return tables[0] if tables else None


def _with_dropout(block: nn.Module, path: str) -> str:
    """The dropout behind an output layer that is alone with it and a LayerNorm (BERT's way), or the layer."""
    parent = block.get_submodule(path.rpartition(".")[0])
    alone = len(_linears(parent)) == 1 and any(is_norm(child) for child in parent.children())
    return f"{path.rpartition('.')[0]}.dropout" if alone and hasattr(parent, "dropout") else path


def _linears(block: nn.Module) -> dict[str, nn.Module]:
    return {name: m for name, m in block.named_modules() if is_linear(m)}
