"""How ``--help`` looks: paragraphs fill the width, and a flag is not said to take a ``<bool>``."""

from __future__ import annotations

import inspect
from typing import Any

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command as it is shown here."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes | {"help": paragraphs(attributes.get("help"))})

    def get_params(self, ctx: Any) -> list[Any]:
        """What it takes, ``--help`` among it."""
        return _plain(super().get_params(ctx))


class Group(TyperGroup):
    """Several commands as they are shown here."""

    def get_params(self, ctx: Any) -> list[Any]:
        """What comes before the name of a command."""
        return _plain(super().get_params(ctx))


def paragraphs(text: str | None) -> str:
    """A docstring whose lines end where its paragraphs do, so that a terminal of any width can break them."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n"))


def _plain(found: list[Any]) -> list[Any]:
    for one in found:
        if getattr(one, "is_flag", False):
            one.metavar = ""
    return found
