"""Padding must move no answer: where the head of a decoder reads, and on which side texts are padded.

transformers' classifiers on decoders read the last token that is not ``config.pad_token_id``. That is where a
text ends only if the tokenizer pads with this very token and no text ends with it, and neither need hold. The
attention mask says it whatever the tokens are, and so it decides here.

Texts are padded on the right, whatever side the tokenizer was saved with: no position is shifted, and causal
attention keeps the padding out by itself. An architecture without a layout is tried out on a small copy.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import (
    MODEL_FOR_QUESTION_ANSWERING_MAPPING,
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
    PreTrainedModel,
)
from transformers.utils import ModelOutput

from methods.anatomy import Anatomy
from methods.anatomy.layouts import LAYOUTS
from methods.anatomy.small import copy_of, token_table
from methods.errors import AnatomyError

Side = Literal["right", "left"]

TOLERANCE = 1e-3
"""Of a logit, next to the largest: far above what rounding does in another batch, far below other changes."""


def read_by_mask(model: PreTrainedModel) -> PreTrainedModel:
    """Let the head of a causal classifier read where the attention mask ends; others stay as they are, and so
    do those that read every token.

    At every position the body then returns the last hidden state of the text, so that the head finds that
    wherever it looks. Nothing of a pass is kept, and copies of the model read the same way.
    """
    try:
        causal = Anatomy(model).is_causal
    except AnatomyError:  # what cannot be told is left to the model
        return model
    if causal and not _reads_all(model) and model.base_model is not model:
        if getattr(model.config, "pad_token_id", None) is None:  # without one it takes no batch
            model.config.pad_token_id = 0
        model.base_model.register_forward_hook(_states_at_the_end, with_kwargs=True)
    return model


def _reads_all(model: PreTrainedModel) -> bool:
    """Whether the head answers for every token: a language model, labels of words, where an answer stands."""
    kinds = (MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING, MODEL_FOR_QUESTION_ANSWERING_MAPPING)
    if any(type(model) is kind.get(type(model.config), None) for kind in kinds):
        return True
    return model.get_output_embeddings() is not None


def _states_at_the_end(body: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    """Put the state of each text's last token (batch x width) at every position; a forward hook.

    Counted from the end: a method that puts positions in front, or behind padding on the left, moves nothing.
    """
    mask = kwargs.get("attention_mask")
    if mask is None and len(args) > 1:
        mask = dict(zip(inspect.signature(body.forward).parameters, args, strict=False)).get("attention_mask")
    states: Tensor = output[0]  # (batch, length, width)
    behind = 0 if mask is None else mask.ne(0).int().flip(1).argmax(dim=1)  # padding behind each text
    rows = torch.arange(states.shape[0], device=states.device)
    ends = states[rows, states.shape[1] - 1 - behind][:, None].expand_as(states)
    if isinstance(output, ModelOutput):
        output[next(iter(output))] = ends
        return output
    return (ends, *output[1:])


def side_of(model: PreTrainedModel) -> Side | None:
    """The side on which a classifier's texts may be padded; None where its answers move either way.

    Args:
        model: on any device, the meta device included.
    """
    if model.config.model_type in LAYOUTS:
        return "right"
    small = copy_of(model)
    if small is None or token_table(small) is None:  # no more is known of it than of the others
        return "right"
    small = read_by_mask(copy.deepcopy(small))
    found: tuple[Side, ...] = ("right", "left")
    return next((side for side in found if _same_alone(small, side)), None)


def _same_alone(model: PreTrainedModel, side: Side) -> bool:
    """Whether a text gets the same logits alone and padded beside a longer one."""
    words = len(token_table(model).weight)  # type: ignore[union-attr]
    ids = (words - 1 - torch.arange(12) % (words - 4)).view(2, 6)  # away from the special tokens
    ending, padding = (getattr(model.config, name, None) for name in ("eos_token_id", "pad_token_id"))
    if isinstance(ending, int) and ending < words:
        ids[:, -1] = ending  # some heads read the token that ends the text
    text, mask = ids[1:, 2:].clone(), torch.ones_like(ids)
    ids[1], mask[1] = padding if isinstance(padding, int) and padding < words else 0, 0
    place = slice(4) if side == "right" else slice(2, None)
    ids[1, place], mask[1, place] = text[0], 1
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask).logits
        alone = model(input_ids=text, attention_mask=torch.ones_like(text)).logits
    return bool((together[1] - alone[0]).abs().max() <= TOLERANCE * together.abs().max())
