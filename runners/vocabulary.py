"""Whether a tokenizer and a model belong together, and what the one pads with for the other."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerBase

SENTENCE = "A plain sentence of some words and the number 12."
"""What every tokenizer must be able to read: all tasks are in English."""
FEWEST = 3
"""Different tokens that it must find there, special ones and the unknown one apart."""


def fault_of(tokenizer: PreTrainedTokenizerBase, settings: Any) -> str | None:
    """What is wrong with a tokenizer for a model, in half a sentence; None where nothing is.

    transformers makes an empty tokenizer where there are no files of one: it reads every text as nothing.

    Args:
        tokenizer: as it was read.
        settings: the model's configuration.
    """
    found = {number for number in tokenizer(SENTENCE)["input_ids"] if number is not None}
    if len(found - {*tokenizer.all_special_ids, tokenizer.unk_token_id}) < FEWEST:
        return f"it knows next to nothing of {SENTENCE!r}: its files are missing, or of another kind"
    words = getattr(settings, "vocab_size", None)
    if words is not None and max(found) >= words:
        return f"it gives tokens up to number {max(found)}, and the model has {words}: they are of two models"
    return None


def token_for(tokenizer: PreTrainedTokenizerBase, settings: Any) -> str | None:
    """What to pad with: the model's padding token where the tokenizer has it, for some models read it.

    Else the tokenizer's, or the end of a text, or any: the mask tells what is padding. None where the
    tokenizer has no word of the model's.

    Args:
        tokenizer: as it was read.
        settings: the model's configuration.
    """
    words = min(len(tokenizer), getattr(settings, "vocab_size", None) or len(tokenizer))
    own = getattr(settings, "pad_token_id", None)
    for number in (own, tokenizer.pad_token_id, tokenizer.eos_token_id, 0):
        if isinstance(number, int) and 0 <= number < words:
            token = tokenizer.convert_ids_to_tokens(number)
            if isinstance(token, str):
                return token
    return None
