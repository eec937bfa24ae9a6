"""A layout for an architecture that has none, discovered by the names and shapes of its modules."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from methods.anatomy.layers import is_linear, is_norm, sizes
from methods.anatomy.layouts import LAYOUTS, Attention, Layout
from methods.errors import AnatomyError

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

    The longest list of modules of one class is taken as the blocks; within a block, a role is a linear
    layer of one of the usual names whose shape fits it. A body with a normalisation layer behind its blocks
    is taken as pre-norm, any other as post-norm with the block's last one at its end.

    Raises:
        AnatomyError: a role was not found. It names the model and the role.
    """
    body: nn.Module = model.base_model
    config = model.config
    lists = [
        (path, module)
        for path, module in body.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) and _linears(module[0])
        if len({type(child) for child in module}) == 1
    ]
    if not lists or getattr(config, "is_encoder_decoder", False):
        raise missing(model, "block structure")
    path, blocks = max(lists, key=lambda found: len(found[1]))
    block, width = blocks[0], config.hidden_size
    linears = _linears(block)
    table = model.get_input_embeddings()
    embedding = next((name for name, module in body.named_modules() if module is table), None)
    if embedding is None:
        raise missing(model, "embedding")

    def find(role: str, out: int | None, into: int, taken: tuple[str, ...] = ()) -> str:
        for usual in _NAMES[role]:
            for name, layer in linears.items():
                known = name == usual or name.endswith(f".{usual}")
                rows, columns = sizes(layer)
                if known and name not in taken and columns == into and out in (None, rows):
                    return name
        raise missing(model, role)

    query, key, value = (find(role, None, width) for role in ("query", "key", "value"))
    output = find("output", width, sizes(linears[query])[0], (query, key, value))
    up = find("up", None, width, (query, key, value, output))
    inner = sizes(linears[up])[0]
    down = find("down", width, inner, (output, up))
    try:
        gate = find("gate", inner, width, (up,))
    except AnatomyError:
        gate = None
    norms = [name for name, module in block.named_modules() if is_norm(module)]
    root, _, own = path.rpartition(".")
    siblings = list(body.get_submodule(root).named_children())
    behind = siblings[[name for name, _ in siblings].index(own) + 1 :]
    pre_norm = any(is_norm(module) for _, module in behind)
    causal = any(getattr(module, "is_causal", False) for module in block.modules())
    # Sandwich blocks (Gemma 2, OLMo 2) normalise each sub-layer's output before they add it.
    sandwich = hasattr(block, "post_feedforward_layernorm")
    return Layout(
        blocks=path,
        embedding=embedding,
        attention=Attention(query.rpartition(".")[0], query, key, value, output),
        gate=gate,
        up=up,
        down=down,
        attention_output="post_attention_layernorm" if sandwich else _with_dropout(block, output),
        feed_forward_output="post_feedforward_layernorm" if sandwich else _with_dropout(block, down),
        block_norm=None if pre_norm or sandwich or not norms else norms[-1],
        causal=causal,
        pools_first_token=not causal,
    )


def _with_dropout(block: nn.Module, path: str) -> str:
    """The dropout behind an output layer that is alone with it and a LayerNorm (BERT's way), or the layer."""
    parent = block.get_submodule(path.rpartition(".")[0])
    alone = len(_linears(parent)) == 1 and any(is_norm(child) for child in parent.children())
    return f"{path.rpartition('.')[0]}.dropout" if alone and hasattr(parent, "dropout") else path


def _linears(block: nn.Module) -> dict[str, nn.Module]:
    return {name: m for name, m in block.named_modules() if is_linear(m)}
