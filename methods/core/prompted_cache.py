"""A key/value cache that holds a soft prompt, and tells its users of their own tokens alone.

``generate`` slices its input, numbers its tokens and grows its mask by ``get_seq_length()`` of the cache that
it is given. With n rows of a prompt in it that is n too many, so the class of a cache changes when it leaves
the model: outside it counts the user's tokens, inside all that it holds.
"""

from __future__ import annotations

from typing import Any

from transformers import Cache

SHOWN = "_paretune_shown"


_KINDS: dict[tuple[type[Cache], int], type[Cache]] = {}


def _shown(kind: type[Cache], extra: int) -> type[Cache]:
    """A class of caches of which ``extra`` positions are not counted."""

    def get_seq_length(own: Any, *args: Any, **kwargs: Any) -> Any:
        length = kind.get_seq_length(own, *args, **kwargs)
        return length - extra if length else length

    def crop(own: Any, length: int, *args: Any, **kwargs: Any) -> Any:
        """Cut to so many tokens of the user's; negative: by so many."""
        return kind.crop(own, length if length < 0 else length + extra, *args, **kwargs)

    if (kind, extra) not in _KINDS:
        content = {"get_seq_length": get_seq_length, "crop": crop, SHOWN: (kind, extra)}
        _KINDS[kind, extra] = type(kind.__name__, (kind,), content)
    return _KINDS[kind, extra]


def hide(held: Cache, extra: int) -> None:
    """Let a cache that holds so many positions of a prompt count the user's alone."""
    if not hasattr(type(held), SHOWN):
        held.__class__ = _shown(type(held), extra)


def reveal(held: Cache) -> int:
    """Let a cache count all that it holds; return how many positions of it are a prompt's, 0 for none."""
    kind, extra = getattr(type(held), SHOWN, (type(held), 0))
    held.__class__ = kind
    return int(extra)
