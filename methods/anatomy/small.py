"""A small copy of a model, of the same class and with random weights, on which a question is tried out.

It is made from the configuration alone, so a model on the meta device can be asked as well, and one on an
accelerator is left in peace.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily
from transformers import PreTrainedModel

P = ParamSpec("P")
T = TypeVar("T")

LENGTH = 6
"""Tokens of an input on which something is tried out."""
VOCABULARY = 128
MOST = 2**25
"""Parameters of a copy whose widths could not be made small."""

_DEPTHS = ("num_hidden_layers", "num_layers", "num_decoder_layers", "encoder_layers", "decoder_layers")
_SMALL: dict[int, tuple[str, ...]] = {
    32: (
        "hidden_size",
        "d_model",
        "n_embd",
        "dim",
        "word_embed_proj_dim",
        "embedding_size",
        "pooler_hidden_size",
    ),
    48: (
        *("intermediate_size", "ffn_hidden_size", "ffn_dim", "d_ff", "hidden_dim", "n_inner"),
        *("encoder_ffn_dim", "decoder_ffn_dim", "moe_intermediate_size", "shared_expert_intermediate_size"),
    ),
    8: ("head_dim", "d_kv", "qk_rope_head_dim"),
    4: ("num_attention_heads", "encoder_attention_heads", "decoder_attention_heads", "rotary_dim"),
}
_WIDTHS = {name: size for size, names in _SMALL.items() for name in names}
_EXPERTS = dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts"), 4)
_EXPERTS |= dict.fromkeys(("num_experts_per_tok", "experts_per_token"), 2)
_EXPERTS |= dict.fromkeys(("n_group", "topk_group"), 1)
"""What transformers' configurations call the sizes of a model, and what is small. What has another name stays
as large as it is."""


def with_values(question: Callable[P, T]) -> Callable[P, T]:
    """A function whose tensors have values, also while its caller works with fake ones, which have none."""

    @wraps(question)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        with unset_fake_temporarily():
            return question(*args, **kwargs)

    return asked


@with_values
def copy_of(model: PreTrainedModel) -> PreTrainedModel | None:
    """A small model of the same class, in evaluation mode on the CPU; None where none can be made and run."""
    try:
        settings = _Settings(type(model), model.config)
    except Exception:  # a configuration that can be neither copied nor written down
        return None
    return _copy(settings)


def has_values(model: nn.Module) -> bool:
    """Whether a model's parameters have values: neither the meta device's nor fake ones do."""
    return not any(p.is_meta or isinstance(p.data, FakeTensor) for p in model.parameters())


def token_table(model: nn.Module) -> nn.Embedding | None:
    """The embedding of a model's tokens; None where it reads something else."""
    try:
        table = model.get_input_embeddings()  # type: ignore[operator]
    except (NotImplementedError, AttributeError):  # transformers' answer for models of sound
        return None
    return table if isinstance(table, nn.Embedding) else None


def sample(model: PreTrainedModel) -> dict[str, Tensor] | None:
    """Two inputs for a pass, on the model's device; None where it is not known what it reads.

    One where it has no padding token, without which a classifier on a decoder takes no more.
    """
    config, name, generator = model.config, model.main_input_name, torch.Generator().manual_seed(0)
    batch = 1 if name == "input_ids" and getattr(config, "pad_token_id", None) is None else 2
    device = next(model.parameters()).device
    table = token_table(model)
    inputs: dict[str, Tensor] = {}
    if name == "pixel_values":
        size = config.image_size if isinstance(config.image_size, (tuple, list)) else [config.image_size] * 2
        shape = (batch, config.num_channels, *size)
        inputs[name] = torch.randn(shape, generator=generator, device="cpu").to(device)
    elif name == "input_features" and hasattr(config, "max_source_positions"):
        shape = (batch, config.num_mel_bins, 2 * config.max_source_positions)
        inputs[name] = torch.randn(shape, generator=generator, device="cpu").to(device)
    elif table is not None and len(table.weight) > LENGTH:
        last = len(table.weight) - 1  # away from the special tokens, which come first
        ids = last - torch.arange(batch * LENGTH, device="cpu").view(batch, LENGTH) % (last - 3)
        inputs["input_ids"] = ids.to(device)
    else:
        return None
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in takes(model):
        inputs["decoder_input_ids"] = torch.arange(4, 4 + batch * LENGTH, device=device).view(batch, LENGTH)
    return inputs


def takes(module: nn.Module) -> frozenset[str]:
    """The names of the arguments of a module's forward pass."""
    return frozenset(inspect.signature(module.forward).parameters)


class _Settings:
    """A class and a configuration by its content: what a copy is made from, and looked up by."""

    def __init__(self, kind: type[PreTrainedModel], config: Any) -> None:
        self.kind, self.config = kind, copy.deepcopy(config)
        self.content = config.to_json_string(use_diff=False) + str(config._attn_implementation)

    def __hash__(self) -> int:
        return hash((self.kind.__qualname__, self.content))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Settings) and (self.kind, self.content) == (other.kind, other.content)


@lru_cache(maxsize=8)
def _copy(settings: _Settings) -> PreTrainedModel | None:
    for narrow in (True, False):
        config = copy.deepcopy(settings.config)
        try:
            for part in (config, *(getattr(config, name) for name in config.sub_configs)):
                if part is not None:
                    _shrink(part, narrow)
            if config._attn_implementation not in ("sdpa", "eager"):
                config._attn_implementation = "eager"  # others may need an accelerator
            vars(config).pop("quantization_config", None)
            if not narrow and _size(settings.kind, config) > MOST:
                return None
            model = _build(settings.kind, config)
            inputs = sample(model)
            if inputs is not None:
                with torch.no_grad(), torch.device("cpu"):
                    model(**inputs)
        except torch.OutOfMemoryError:  # what else is on the machine must not decide anything
            raise
        except Exception:  # whatever an unknown model asks for beside a configuration and an input
            continue
        return model
    return None


def _shrink(config: Any, narrow: bool) -> None:
    """Make a configuration that of a model of few layers, and of small widths where that is asked for."""
    _fewer_layers(config)
    if narrow:
        heads, size = (getattr(config, name, None) for name in ("num_attention_heads", "head_dim"))
        for name in ("num_key_value_heads", "num_kv_heads"):
            number = getattr(config, name, None)
            if heads and isinstance(number, int):
                setattr(config, name, 4 if number == heads else min(number, 2))
        apart = bool(heads and size and size * heads != getattr(config, "hidden_size", None))
        _lower(config, _WIDTHS | (dict.fromkeys(("head_dim", "qk_rope_head_dim"), 16) if apart else {}))
        _fit_sections(config)
    _lower(config, _EXPERTS)
    if hasattr(config, "initializer_range"):
        config.initializer_range = 0.2  # so that what is changed shows
    config.use_cache = False
    _fewer_words(config)


def _fit_sections(config: Any) -> None:
    """Rotary embeddings of several axes (Qwen2-VL) share half of a head's features among them."""
    rotary = getattr(config, "rope_parameters", None) or {}
    sections = rotary.get("mrope_section")
    if sections:
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        first = [1] * (len(sections) - 1)
        config.rope_parameters = {**rotary, "mrope_section": [*first, size // 2 - len(first)]}


def _fewer_layers(config: Any) -> None:
    """Two layers, or one of each kind, in every list that has an entry for each."""
    depth, kinds = getattr(config, "num_hidden_layers", None), getattr(config, "layer_types", None) or []
    kept = sorted({0, 1, *(kinds.index(kind) for kind in set(kinds))})
    if isinstance(depth, int) and depth > len(kept):
        for name, value in list(vars(config).items()):
            if isinstance(value, (list, tuple)) and len(value) == depth:
                setattr(config, name, type(value)(value[index] for index in kept))
    _lower(config, dict.fromkeys(_DEPTHS, len(kept)))
    if hasattr(config, "num_kv_shared_layers"):
        config.num_kv_shared_layers = 0


def _fewer_words(config: Any) -> None:
    """A small vocabulary, in which the special tokens have their place."""
    vocabulary = getattr(config, "vocab_size", None)
    if not isinstance(vocabulary, int) or vocabulary <= VOCABULARY:
        return
    for name, value in list(vars(config).items()):
        if "vocab_size" in name and isinstance(value, int):
            setattr(config, name, min(value, VOCABULARY))
        elif name.endswith("token_id") and isinstance(value, int):
            setattr(config, name, value if value < VOCABULARY else value % 4)
        elif name.endswith("token_id") and isinstance(value, list):
            setattr(config, name, [one if one < VOCABULARY else one % 4 for one in value])


def _lower(config: Any, sizes: dict[str, int]) -> None:
    """Lower those whole numbers of a configuration that are larger."""
    for name, size in sizes.items():
        value = getattr(config, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value > size:
            setattr(config, name, size)
        elif isinstance(value, list) and value and all(isinstance(one, int) for one in value):
            setattr(config, name, [min(one, size) for one in value])


def _size(kind: type[PreTrainedModel], config: Any) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in kind(copy.deepcopy(config)).parameters())


def _build(kind: type[PreTrainedModel], config: Any) -> PreTrainedModel:
    """A model of random weights, none of which is zero or one by its initialisation."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        model: PreTrainedModel = kind._from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()
