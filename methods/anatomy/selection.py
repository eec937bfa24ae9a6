"""Some blocks of a model, by their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from methods.errors import OptionError


def chosen(layers: Sequence[int] | None, blocks: int, what: str) -> tuple[int, ...]:
    """The numbers of blocks, in order, that an option ``layers`` names.

    Args:
        layers: numbers from 0, an encoder's blocks before a decoder's; negative ones count from the end. None
            for all.
        blocks: how many there are.
        what: has them, for an error message.

    Raises:
        OptionError: there is no such block, or one is named twice.
    """
    if layers is None:
        return tuple(range(blocks))
    for number in layers:
        if not -blocks <= number < blocks:
            are = f"its {blocks} blocks are 0 to {blocks - 1}" if blocks > 1 else "its one block is 0"
            raise OptionError(f"layers: {what} has no block {number}, {are}.")
    found = sorted({number % blocks for number in layers})
    if len(found) != len(layers):
        raise OptionError(
            f"layers={list(layers)} is not valid: of the {blocks} blocks of {what} it names one twice."
        )
    return tuple(found)
