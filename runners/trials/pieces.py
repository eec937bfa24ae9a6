"""Sentences as tokens: which token speaks for a word, and which words a model does not read.

The first token of a word has the word's label, the others and special tokens have none (Devlin et al. 2019,
section 5.3). A word of which no token is left, since the sentence was cut, or to which the tokenizer gives
none (some signs are nothing to it), is not read. Its label stays among the references of every score.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from runners.errors import ModelError
from runners.optimisation import IGNORED
from runners.trials.tokens import Encoded, Words
from runners.vocabulary import SENTENCE

_AT_ONCE: Final = 1_000  # sentences, so that only so many are lists of Python


def check(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that does not tell which word a token is of.

    Raises:
        ModelError: it is one in Python.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {tokenizer.name_or_path!r} ({type(tokenizer).__name__}) does not tell which "
            "word a token is of, which labels of words need: expected a fast one, with a tokenizer.json."
        )


def encoded(sentences: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Encoded:
    """Turn a split into tokens, cutting sentences to ``max_length`` of them; labels are a column beside them.

    Args:
        sentences: with the columns ``words`` and ``tags``.
        tokenizer: makes tokens of words.
        max_length: of a row.

    Raises:
        ModelError: the tokenizer does not tell which word a token is of.
    """
    check(tokenizer)
    front, nothing = lead(tokenizer), _nothing(tokenizer)
    columns: dict[str, list[np.ndarray]] = {}
    reads: list[np.ndarray] = []
    cut: list[bool] = []
    for start in range(0, len(sentences), _AT_ONCE):
        some = sentences[start : start + _AT_ONCE]
        words = [[front + word for word in sentence] for sentence in some["words"]]
        found = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
        names = [name for name in tokenizer.model_input_names if name in found]
        for index, tags in enumerate(some["tags"]):
            labels, read = _spoken_for(found.word_ids(index), np.asarray(tags, np.int64))
            for name in names:
                values = np.asarray(found[name][index] or [nothing.get(name, 0)], np.int32)
                columns.setdefault(name, []).append(values)
            columns.setdefault("labels", []).append(labels)
            reads.append(read)
            cut.append(not read.all() or bool(found.encodings[index].overflowing))
    lengths = np.array([len(labels) for labels in columns["labels"]])
    return Encoded(
        columns={name: np.concatenate(rows) for name, rows in columns.items()},
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        cut=np.array(cut),
        targets=np.array([read.sum() for read in reads], np.int64),
        words=Words.of(sentences["tags"], reads),
    )


def _spoken_for(words: list[int | None], tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label of every token, and whether each word has one that speaks for it."""
    of = np.array([-1 if word is None else word for word in words] or [-1])
    first = (of >= 0) & (of != np.r_[-1, of[:-1]])
    labels, read = np.full(len(of), IGNORED, np.int64), np.zeros(len(tags), bool)
    labels[first] = tags[of[first]]
    read[of[first]] = True
    return labels, read


def _nothing(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """What a sentence without a token becomes: the token that ends a text."""
    ending = tokenizer.pad_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    return {"input_ids": int(ending or 0), "attention_mask": 1}


def lead(tokenizer: PreTrainedTokenizerBase) -> str:
    """What is put in front of a word, for the tokens that it has in a text: a space, or nothing.

    Tokenizers of pairs of bytes (GPT-2, RoBERTa, Llama 3) have the space before a word in its first token,
    and take a word without one for the middle of another. Which it is, is tried out.
    """
    words = SENTENCE.split()
    text = tokenizer(SENTENCE, add_special_tokens=False)["input_ids"]
    for front in ("", " "):
        found = tokenizer(
            [front + word for word in words], is_split_into_words=True, add_special_tokens=False
        )
        behind = [token for token, word in zip(found["input_ids"], found.word_ids(0), strict=True) if word]
        if behind == text[len(text) - len(behind) :]:
            return front
    return ""
