"""A layout for an architecture that has none, discovered by the names and shapes of its modules."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from methods.anatomy.layers import is_linear, sizes
from methods.anatomy.layout import FEED_FORWARD_ROLES, Attention, Layout
from methods.anatomy.probing import Ends, ends_of, is_causal, numbering
from methods.anatomy.small import token_table
from methods.errors import AnatomyError

_NAMES: dict[str, tuple[str, ...]] = {
    "query": ("q_proj", "query", "q_lin", "query_proj", "q", "wq", "w_q", "linear_q"),
    "key": ("k_proj", "key", "k_lin", "key_proj", "k", "wk", "w_k", "linear_k"),
    "value": ("v_proj", "value", "v_lin", "value_proj", "v", "wv", "w_v", "linear_v"),
    "output": ("o_proj", "out_proj", "output.dense", "dense", "out_lin", "o", "wo", "linear_out"),
    "up": ("up_proj", "fc1", "intermediate.dense", "lin1", "c_fc", "fc_in", "wi_1", "wi", "w1", "linear1"),
    "down": ("down_proj", "fc2", "output.dense", "lin2", "c_proj", "fc_out", "wo", "w2", "linear2"),
    "gate": ("gate_proj", "wi_0", "w3"),
}


def described(model: PreTrainedModel) -> str:
    """A model in an error message."""
    return f"{type(model).__name__} ({model.config.model_type})"


def missing(model: PreTrainedModel, role: str) -> AnatomyError:
    """The error for a role that a model does not have."""
    return AnatomyError(
        f"{described(model)} has no {role} that Paretune can find: to add one, describe the architecture as "
        "a Layout in methods/anatomy/layouts.py."
    )


def discover(model: PreTrainedModel) -> Layout:
    """Find the roles of an unknown architecture by the names and shapes of its modules.

    The longest list of modules of one class, inside no other such list, is taken as the blocks; within a
    block, a role is a linear layer of one of the usual names whose shape fits it. What is not found, or is
    there several times, is left open: only who asks for it gets an error. Whether it is causal, how it
    numbers tokens and where its sub-layers and blocks end is tried out, see ``probing.py``.

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
        if not is_linear(module[0])
        if len({type(child) for child in module}) == 1
    }
    outer = [path for path in lists if not any(path.startswith(f"{other}.") for other in lists)]
    if not outer or getattr(text, "is_encoder_decoder", False):
        raise missing(model, "block structure")
    path = max(outer, key=lambda name: len(lists[name]))
    block, width = lists[path][0], getattr(text, "hidden_size", None)
    if not isinstance(width, int):
        raise missing(model, "width")
    experts = any(
        name.split(".")[-1] == "experts" for part in lists[path] for name, _ in part.named_modules()
    )
    linears = _linears(block)
    table = token_table(model)
    embedding = next((name for name, module in body.named_modules() if module is table), None)

    def find(role: str, out: int | None, into: int | None, taken: tuple[str | None, ...] = ()) -> str | None:
        for usual in _NAMES[role]:
            fitting = [
                name
                for name, layer in linears.items()
                if (name == usual or name.endswith(f".{usual}")) and name not in taken
                if into in (None, sizes(layer)[1]) and out in (None, sizes(layer)[0])
            ]
            if fitting:
                return fitting[0] if len(fitting) == 1 or role not in FEED_FORWARD_ROLES else None
        return None

    def rows(name: str | None) -> int | None:
        return None if name is None else sizes(linears[name])[0]

    query, key, value = (find(role, None, width) for role in ("query", "key", "value"))
    output = find("output", width, rows(query) or width, (query, key, value))
    up = down = gate = None
    if not experts:
        up = find("up", None, width, (query, key, value, output))
        down = find("down", width, rows(up), (output, up))
        gate = find("gate", rows(up), width, (up,)) if up else None
    found = ends_of(model, path, output, down)
    ends = found or Ends(None, None, None)
    causal = is_causal(model) if table is not None else False
    positions = numbering(model)
    untold = {"block_norm"} if found is None else set()
    untold |= {"causal", "pools_first_token"} if causal is None else set()
    untold |= {"positions"} if positions is None else set()
    return Layout(
        blocks=path,
        embedding=embedding,
        attention=Attention(query.rpartition(".")[0] if query else None, query, key, value, output),
        gate=gate,
        up=up,
        down=down,
        attention_output=ends.attention_output,
        feed_forward_output=ends.feed_forward_output,
        block_norm=ends.block_norm,
        parallel=ends.parallel,
        bare=ends.bare,
        experts=experts,
        causal=bool(causal),
        pools_first_token=not causal,
        positions=positions or "sequence",
        untold=frozenset(untold),
    )


def _linears(block: nn.Module) -> dict[str, nn.Module]:
    return {name: m for name, m in block.named_modules() if is_linear(m)}
