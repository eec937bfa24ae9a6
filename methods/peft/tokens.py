"""Methods that add virtual tokens, in the PEFT library's words: ``prefix``, ``prompt``.

Source: huggingface/peft@5d602fd (0.21), ``peft_model.py``, ``tuners/prefix_tuning`` and
``tuners/prompt_tuning``. Each is one tensor in peft, which enters it in its own way:

* A prefix is a filled key/value cache. On decoders that is the same function. Encoders then number their text
  from n, encoder-decoders have it in the decoder's own attention alone, and sliding windows lose sight of it.
* A prompt is put in front of everything, [CLS] and padding included, and classifiers then read the last
  position, padding or not. With a language modelling head, and padding on the right if any, that is the same
  function; peft's logits have n rows more.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import torch

from methods.anatomy import Anatomy, max_positions, numbers_positions
from methods.core import Options
from methods.core.attention import PARTS, SLOT
from methods.errors import MethodError
from methods.peft.format import PeftForm
from methods.peft.names import Tensors, Words


class PrefixOptions(Protocol):
    """What is asked of the options of ``prefix``."""

    layers: tuple[int, ...] | None


TENSOR = "prompt_embeddings"
"""What peft calls the one tensor of either."""

_UNDERSTOOD = frozenset(
    {
        *(
            "num_virtual_tokens",
            "token_dim",
            "num_layers",
            "num_attention_heads",
            "num_transformer_submodules",
        ),
        *("encoder_hidden_size", "prefix_projection", "init_weights", "prompt_tuning_init"),
        *("prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs"),
    }
)
"""All but the first say how the tensor was made, or repeat the model's sizes."""


def prefix_form(options: type[Options]) -> PeftForm:
    """The form of ``prefix``."""
    return PeftForm(
        peft_type="PREFIX_TUNING",
        options=options,
        to_peft=write_prefix,
        from_peft=read_prefix,
        understood=_UNDERSTOOD,
        differs=prefix_differs,
        by_layer=False,
    )


def prompt_form(options: type[Options], tensor: str) -> PeftForm:
    """The form of ``prompt``, whose one tensor is called so in a checkpoint."""
    return PeftForm(
        peft_type="PROMPT_TUNING",
        options=options,
        to_peft=partial(write_prompt, tensor=tensor),
        from_peft=partial(read_prompt, tensor=tensor),
        understood=_UNDERSTOOD,
        differs=prompt_differs,
        by_layer=False,
    )


def prefix_differs(anatomy: Anatomy, task: str | None) -> str | None:
    """Why a prefix is another function in peft, None if it is not."""
    if anatomy.is_encoder_decoder:
        return "it would be in the decoder's own attention alone, not in all three"
    if not anatomy.stacks[0].layout.causal:
        return "an encoder's text would be numbered from n, not from 0"
    if not numbers_positions(anatomy):
        return "its decoder cannot be told to number the text from n"
    window, limit = getattr(anatomy.config, "sliding_window", None), max_positions(anatomy)
    kinds = getattr(anatomy.config, "layer_types", None) or ["sliding_attention"]
    if window and (limit is None or window < limit) and "sliding_attention" in kinds:
        return f"tokens beyond the sliding window of {window} would not see it"
    return None if task else "peft has no task for such a head, and its plain wrapper leaves the prefix out"


def write_prefix(options: PrefixOptions, own: Tensors, anatomy: Anatomy) -> Words:
    """peft's ``PREFIX_TUNING``: (n x L * 2 * heads * head size).

    Raises:
        MethodError: it is in some blocks only.
    """
    if len(anatomy.within(options.layers).blocks) < len(anatomy.blocks):
        raise MethodError(
            f"the prefix is in blocks {', '.join(map(str, options.layers or ()))} alone, and peft has one in "
            "every block."
        )
    pairs = torch.stack(
        [own[f"{site.path}.{SLOT}.{part}"] for site in anatomy.attentions()["self"] for part in PARTS]
    )  # (2L, heads, n, head size)
    layers, heads, length, size = pairs.shape
    config = {"encoder_hidden_size": heads * size, "prefix_projection": False}
    sizes = _sizes(length, heads * size, layers // 2, heads)
    return sizes | config, {TENSOR: pairs.permute(2, 0, 1, 3).flatten(1)}


def read_prefix(config: dict[str, Any], tensors: Tensors, anatomy: Anatomy) -> Words:
    """A ``PREFIX_TUNING`` of peft's, the direct form; peft stores it so with or without a projection.

    Raises:
        MethodError: it is of another size.
    """
    sites, (heads, size) = anatomy.attentions()["self"], anatomy.heads
    flat = _tensor(tensors, 2 * len(sites) * heads * size)
    pairs = flat.unflatten(1, (len(sites), 2, heads, size)).permute(1, 2, 3, 0, 4)
    own = {
        f"{site.path}.{SLOT}.{part}": tensor
        for site, pair in zip(sites, pairs, strict=True)
        for part, tensor in zip(PARTS, pair, strict=True)
    }
    return {"length": len(flat), "hidden": None}, own


def prompt_differs(anatomy: Anatomy, task: str | None) -> str | None:
    """Why a prompt is another function in peft, None if it is not."""
    if anatomy.stacks[0].layout.pools_first_token:
        return "it would stand in front of the first token, which the head reads, not behind it"
    if task not in ("CAUSAL_LM", "SEQ_2_SEQ_LM"):
        return "without a language modelling head the position that is read would not be found behind padding"
    return None


def write_prompt(options: Options, own: Tensors, anatomy: Anatomy, *, tensor: str) -> Words:
    """peft's ``PROMPT_TUNING``: (n x width of an embedding)."""
    rows = own[tensor]
    length, width = rows.shape
    sizes = _sizes(length, width, len(anatomy.stacks[0].blocks), anatomy.config.num_attention_heads)
    return sizes | {"prompt_tuning_init": "RANDOM"}, {TENSOR: rows}


def read_prompt(config: dict[str, Any], tensors: Tensors, anatomy: Anatomy, *, tensor: str) -> Words:
    """A ``PROMPT_TUNING`` of peft's; of the two that it stores for an encoder-decoder it uses the first.

    Raises:
        MethodError: it is of another size.
    """
    rows = _tensor(tensors, anatomy.embedding.embedding_dim)[: config.get("num_virtual_tokens")]
    return {"length": len(rows)}, {tensor: rows}


def _sizes(length: int, width: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "num_virtual_tokens": length,
        "token_dim": width,
        "num_layers": layers,
        "num_attention_heads": heads,
        "num_transformer_submodules": 1,  # not one more prompt for the decoder, which peft never reads
    }


def _tensor(tensors: Tensors, width: int) -> torch.Tensor:
    found = tensors.pop(TENSOR, None)
    if found is None or found.ndim != 2 or found.shape[1] != width:
        shape = "nothing" if found is None else tuple(found.shape)
        raise MethodError(f"its {TENSOR} is {shape}, expected (n x {width})")
    return found
