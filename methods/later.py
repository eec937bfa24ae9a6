"""Names of a package that are imported when they are first asked for.

What only describes (cards, options, closed forms) needs no torch, which takes seconds to import: a package
hands out what does need it by a ``__getattr__`` of its own (PEP 562)::

    if TYPE_CHECKING:
        from here.heavy import Heavy
    else:
        __getattr__, __dir__ = later(__name__, {"here.heavy": ("Heavy",)})
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def later(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A ``__getattr__`` and a ``__dir__`` for a package.

    Args:
        package: its name.
        names: what is imported later, by the module that has it.
    """
    homes = {name: module for module, its in names.items() for name in its}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)  # the next time it is there
        return found

    def names_of() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names_of
