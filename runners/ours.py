"""Our packages are found before any others of their names: a `tasks.py` where a command is typed is no fault.

`methods`, `tasks`, `runners` and `reports` are names that anybody may give to a file. Python looks for a
module in the folder of the script, or the working one, before it looks at what is installed; so the four are
looked for first in the folder that holds them all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

NAMES: Final = ("methods", "tasks", "runners", "reports")
HOME: Final = Path(__file__).parents[1]
"""The folder in which our packages lie side by side."""


class _Finder:
    """Looks for our packages in our folder, and for nothing else."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is, as Python asks; None leaves it to the finders after this one."""
        return PathFinder.find_spec(name, [str(HOME)]) if name in NAMES and path is None else None


def come_first() -> None:
    """See to it that an import of one of our names gets our package.

    Raises:
        ImportError: a module that is none of ours was imported under one of the names before; one sentence
            that says which file it is.
    """
    for name in NAMES:
        module = sys.modules.get(name)
        if module is not None and not _is_ours(module, name):
            raise ImportError(
                f"{name!r} is {_place(module)} in this process, expected {HOME / name}, which that hides: "
                "rename it, or import paretune before it.",
                name="runners",
            )
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


def _is_ours(module: ModuleType, name: str) -> bool:
    """Whether a module is the package that lies in our folder."""
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == (HOME / name / "__init__.py").resolve()


def _place(module: ModuleType) -> str:
    """The file of a module, or the folder of one without."""
    return str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "built in"))
