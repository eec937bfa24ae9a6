"""Prompts and what is to follow them, as tokens.

A causal model reads prompt and target in one text: the prompt with the special tokens that the tokenizer puts
in front, then the target, then the token that ends a text. An encoder-decoder reads the prompt and writes the
target, each as its tokenizer makes them. Prompt and target are tokenized apart, so that a prompt has the same
tokens in training and when the model goes on from it.

What is too long is cut and counted. A prompt loses the end of its text, and keeps what stands between it and
the target; it has the same limit whether a target follows or not. A target that is too long loses its end
and is trained without the token that ends a text: a model does not learn to stop in the middle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from transformers import PreTrainedTokenizerBase

from runners.errors import ModelError
from tasks.spec import Template

_AT_ONCE = 1_000  # texts, so that only so many are lists of Python


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of tokens of different lengths, in one array."""

    values: np.ndarray
    """The tokens of all rows, int32."""
    lengths: np.ndarray
    """Tokens per row."""

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each row begins."""
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> np.ndarray:
        """The tokens of one row."""
        return self.values[self.starts[row] : self.starts[row] + self.lengths[row]]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | np.ndarray]) -> Ragged:
        """From rows of tokens."""
        kept = [np.asarray(row, np.int32) for row in rows]
        values = np.concatenate(kept) if kept else np.empty(0, np.int32)
        return cls(values, np.array([len(row) for row in kept], np.int64))

    def part(self, which: Iterable[int]) -> Ragged:
        """Some of the rows, in the order given."""
        return Ragged.of([self[row] for row in which])


@dataclass(frozen=True, eq=False)
class Prompted:
    """Prompts as tokens, with the targets that follow them if there are any."""

    prompts: Ragged
    targets: Ragged | None
    cut: np.ndarray
    """Whether a prompt lost tokens."""
    unended: np.ndarray
    """Whether a target lost its end."""

    def __len__(self) -> int:
        return len(self.prompts)

    def part(self, which: np.ndarray) -> Prompted:
        """Some of the rows, in the order given."""
        targets = None if self.targets is None else self.targets.part(which)
        return Prompted(self.prompts.part(which), targets, self.cut[which], self.unended[which])

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per row, of prompt and target together."""
        return self.prompts.lengths + (0 if self.targets is None else self.targets.lengths)


@dataclass(frozen=True)
class Form:
    """How a model is asked: everything that decides which tokens it reads."""

    tokenizer: PreTrainedTokenizerBase
    template: Template
    pair: bool
    """Whether it is an encoder-decoder."""
    longest_prompt: int
    """In tokens, special ones included."""
    longest_target: int
    """In tokens, the one that ends it included."""

    def __post_init__(self) -> None:
        """Refuse a tokenizer that cannot end a text, and limits that leave nothing.

        Raises:
            ModelError: one sentence.
        """
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                f"the tokenizer of {self.tokenizer.name_or_path!r} has no token that ends a text, which a "
                "model that writes needs: choose another model, or give it an eos_token."
            )
        least = 2 + (0 if self.pair else len(self._plain(self._between)))
        if self.longest_prompt < least or self.longest_target < 2:
            raise ModelError(
                f"prompts of {self.longest_prompt} tokens and targets of {self.longest_target} leave nothing "
                f"to read or to write: expected at least {least} and 2."
            )

    @property
    def end(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def padding(self) -> int:
        """What rows are filled up with; it is masked wherever it stands."""
        own = self.tokenizer.pad_token_id
        return int(self.end if own is None else own)

    @property
    def _between(self) -> str:
        """What stands between prompt and target, less its last spaces.

        Most tokenizers make a space part of the word behind it: it goes to the target.
        """
        return self.template.joint.rstrip(" ")

    def prompted(self, texts: Sequence[Sequence[str]], targets: Sequence[str] | None = None) -> Prompted:
        """Tokens of inputs, and of their targets.

        Args:
            texts: the text, or the two texts, of each input.
            targets: what is to be written for each; None where the model is asked.
        """
        asked = list(self._prompts(texts))
        told = None if targets is None else list(self._targets(targets))
        return Prompted(
            Ragged.of(ids for ids, _ in asked),
            None if told is None else Ragged.of(ids for ids, _ in told),
            np.array([cut for _, cut in asked], bool),
            np.zeros(len(asked), bool) if told is None else np.array([cut for _, cut in told], bool),
        )

    def words(self) -> Ragged:
        """The label words of a classification as targets."""
        return Ragged.of(ids for ids, _ in self._targets(self.template.words))

    def _prompts(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], bool]]:
        between = [] if self.pair else self._plain(self._between)
        for start in range(0, len(texts), _AT_ONCE):
            written = [self.template.write(each) for each in texts[start : start + _AT_ONCE]]
            whole = self._read([text if self.pair else text + self._between for text in written])
            for text, ids in zip(written, whole, strict=True):
                if len(ids) <= self.longest_prompt:
                    yield ids, False
                elif self.pair:
                    limit = {"truncation": True, "max_length": self.longest_prompt}
                    yield list(self.tokenizer(text, **limit)["input_ids"]), True
                else:
                    (alone,) = self._read([text])
                    yield alone[: self.longest_prompt - len(between)] + between, True

    def _read(self, texts: list[str]) -> list[list[int]]:
        """Texts to read, with special tokens; in front of what a causal model goes on with, nothing ends."""
        found: list[list[int]] = self.tokenizer(texts, verbose=False)["input_ids"]
        if self.pair:
            return [ids or [self.end] for ids in found]
        ends = {self.end, self.tokenizer.sep_token_id}
        for ids in found:
            while len(ids) > 1 and ids[-1] in ends:
                ids.pop()
        return [ids or [self.end] for ids in found]

    def _targets(self, targets: Sequence[str]) -> Iterator[tuple[list[int], bool]]:
        lead = "" if self.pair else self.template.joint[len(self._between) :]
        for start in range(0, len(targets), _AT_ONCE):
            part = list(targets[start : start + _AT_ONCE])
            if self.pair:
                found = self.tokenizer(text_target=part, verbose=False)["input_ids"]
            else:
                texts = [lead + target for target in part]
                found = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
            for ids in found:
                ended = [*ids, self.end] if not ids or ids[-1] != self.end else list(ids)
                yield ended[: self.longest_target], len(ended) > self.longest_target

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []
