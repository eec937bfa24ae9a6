"""Texts that are put together from several columns: a word and its sentence, a premise and a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any


@dataclass(frozen=True)
class Joined:
    """How the texts of an example are written from the columns of its row.

    `texts` has one for each text, with the columns in braces, as `{word}: {sentence1}`. `words` says what
    stands for the values of a column, as `("question", "cause", "because")`; of such a column no other
    values are taken.
    """

    texts: tuple[str, ...]
    words: tuple[tuple[str, str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        named = (name for text in self.texts for _, name, _, _ in Formatter().parse(text))
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def write(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The texts of one row.

        Raises:
            ValueError: a value is no text, or not one of those that have a word; half a sentence.
        """
        values = {name: self._value(name, row[name]) for name in self.columns}
        return tuple(text.format(**values) for text in self.texts)

    def _value(self, column: str, value: Any) -> str:
        words = {known: word for name, known, word in self.words if name == column}
        if words and value not in words:
            raise ValueError(f"{value!r:.40} in {column}, expected {' or '.join(words)}")
        if not isinstance(value, str):
            raise ValueError(f"no text in {column}")
        return words.get(value, value)
