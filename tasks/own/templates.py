"""What a study says of how a model that writes is asked, about a task of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tasks.spec import DataError, Template

KEYS: Final = ("prompt", "joint", "words")


def read(task: str, value: Any, columns: int, labels: Sequence[str]) -> Template:
    """A template from a prompt, or from a mapping of `prompt`, `joint` and `words`.

    Args:
        task: how it is called in messages.
        value: what is said.
        columns: of texts, one or two.
        labels: those that are stated; `words` are theirs, in their order.

    Raises:
        DataError: it is something else, or does not fit the columns and labels; one sentence.
    """
    said = {"prompt": value} if isinstance(value, str) else value
    fields = ("text", "text_pair")[:columns]
    where = " and ".join(f"{{{name}}}" for name in fields)
    if not isinstance(said, Mapping) or not said or set(said) - set(KEYS):
        raise DataError(
            f"{task}: template is {value!r}, expected a prompt with {where}, or a mapping of "
            f"{', '.join(KEYS[:-1])} and {KEYS[-1]}"
        )
    own = Template(" ".join(f"{{{name}}}" for name in fields))
    prompt, joint, words = said.get("prompt", own.prompt), said.get("joint", own.joint), said.get("words", [])
    for key, text in (("prompt", prompt), ("joint", joint)):
        if not isinstance(text, str):
            raise DataError(f"{task}: {key} of its template is {text!r}, expected a text")
    if any(f"{{{name}" in joint for name in fields):
        raise DataError(
            f"{task}: joint of its template is {joint!r}, expected what follows the prompt: the text is in "
            "the prompt alone"
        )
    listed = isinstance(words, list | tuple)
    if not listed or not all(isinstance(word, str) and word.strip() for word in words):
        raise DataError(f"{task}: words of its template is {words!r}, expected a list of texts")
    if words and (len(words) != len(labels) or len({word.strip() for word in words}) < len(words)):
        raise DataError(
            f"{task}: its template has the words {', '.join(words)}, expected a word of its own for each of "
            f"the labels in their order, and `labels:` states {', '.join(labels) or 'none'}"
        )
    made = Template(prompt, joint, tuple(words))
    try:
        found = sorted(made.fields())
    except ValueError:
        found = []
    if found != sorted(fields):
        raise DataError(
            f"{task}: the prompt {prompt!r} does not have {where} once, where the text goes; a brace of the "
            "text itself is written twice"
        )
    return made
