"""A model with random weights under a head with a loss, for what does not depend on the weights' values."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from methods.errors import nearest
from runners import models, numerics, padding
from runners.errors import ModelError
from runners.numerics import Numerics


def untrained(
    name: str,
    objective: str | None = None,
    *,
    num_labels: int = 2,
    dtype: torch.dtype = torch.float32,
    stored: Numerics | None = None,
) -> PreTrainedModel:
    """Build the model from its configuration with random weights, under a head with a loss.

    For what does not depend on the weights' values. No weights are read.

    Args:
        name: as for :func:`location`, or one of :func:`architectures`.
        objective: what the head is for: ``classification``, ``language-modeling``, or
            ``token-classification``; None for the first of them that is possible.
        num_labels: classes of the classifier.
        dtype: of all weights, where ``stored`` says nothing else.
        stored: how the numbers are stored and computed; None for ``dtype`` throughout.

    Raises:
        ModelError: the configuration cannot be found, read or reached, or there is no such head for it.
    """
    stored = stored or Numerics()
    settings = models.settings_of(name)
    settings.num_labels, settings.problem_type = num_labels, "single_label_classification"
    if getattr(settings, "pad_token_id", None) is None:
        settings.pad_token_id = 0
    pair = bool(getattr(settings, "is_encoder_decoder", False))
    if pair and getattr(settings, "decoder_start_token_id", None) is None:
        settings.decoder_start_token_id = settings.pad_token_id
    makers: dict[str, Any] = {
        "classification": AutoModelForSequenceClassification,
        "language-modeling": AutoModelForSeq2SeqLM if pair else AutoModelForCausalLM,
        "token-classification": AutoModelForTokenClassification,
    }
    # The classifiers of encoder-decoders pick rows by the tokens' values, which do not exist here.
    possible = [
        kind
        for kind, maker in makers.items()
        if type(settings) in maker._model_mapping and not (pair and kind == "classification")
    ]
    if not possible or (objective is not None and objective not in possible):
        raise ModelError(
            f"the model {name!r} ({settings.model_type}) has no head for {objective or 'training'}; "
            f"{nearest(objective or '', possible)}."
        )
    chosen = objective or possible[0]
    attention = {} if stored.attention is None else {"attn_implementation": stored.attention}
    dtype = dtype if stored.base_dtype == "float32" else stored.dtype
    try:
        model: PreTrainedModel = makers[chosen].from_config(settings, dtype=dtype, **attention).eval()
    except ValueError as error:
        raise ModelError(f"the model {name!r} cannot be used: {str(error).strip().splitlines()[0]}") from None
    if chosen != "language-modeling":
        models.uncached(model)
    if stored.quantization:
        numerics.pack(model, stored)
    return models.computing(name, padding.read_by_mask(model), stored)
