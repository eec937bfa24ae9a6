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
    """A tokenizer of 120 words, t0, t1 and so on first, with whatever special tokens.

    There are letters too: transformers reads the file as one of pairs of bytes where the model is a Qwen2.
    """
    plain = SENTENCE.rstrip(".").split()
    words = dict.fromkeys([*"".join(plain), *plain])
    known = [*(f"t{i}" for i in range(120 - len(words))), *words]
    model = WordLevel({word: i for i, word in enumerate(known)}, unk_token="t3")
    made = Tokenizer(model)
    made.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def saved(folder: Path, architecture: str, tokenizer: PreTrainedTokenizerFast, **changes: Any) -> str:
    """A random classifier and a tokenizer in a folder."""
    build(architecture, "classify", **changes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def writer(folder: Path, architecture: str) -> str:
    """A random model that writes and a tokenizer that can end a text, in a folder."""
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0}
    head = "seq2seq" if architecture in ("t5", "bart") else "causal"
    build(architecture, head, **ids).save_pretrained(folder)
    word_tokenizer(pad_token="t0", bos_token="t1", eos_token="t2", unk_token="t3").save_pretrained(folder)
    return str(folder)
