"""Folders of tiny models as people have them: with a tokenizer that need not go well with the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from runners.vocabulary import SENTENCE
from tests.methods.conftest import build


def word_tokenizer(**special: str) -> PreTrainedTokenizerFast:
    """A tokenizer of t0 to t99 and ten words, with whatever special tokens.

    The words are there as Qwen2's tokenizer cuts them too: transformers reads the file with that for a Qwen2.
    """
    plain = SENTENCE.rstrip(".").split()
    known = [*(f"t{i}" for i in range(100)), *plain, *(f"Ġ{word}" for word in plain)]
    words = WordLevel({word: i for i, word in enumerate(known)}, unk_token="t3")
    made = Tokenizer(words)
    made.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def saved(folder: Path, architecture: str, tokenizer: PreTrainedTokenizerFast, **changes: Any) -> str:
    """A random classifier and a tokenizer in a folder."""
    build(architecture, "classify", **changes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
