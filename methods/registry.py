"""What other packages and scripts bring, beside what is ours, by name.

`tasks/registry.py` and `methods/registry.py` are one text, since the two packages import nothing of each
other. An installed package brings things by entry points, which every process finds; they are loaded when
somebody asks for a name that is not ours, or for all names. What a script registers is known to its own
process alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Registry(Generic[T]):
    """Things by name: ours, those of entry points, and those that were registered.

    Args:
        kind: what one of them is called, such as ``task``, with entry points of the group ``paretune.tasks``.
        known: ours, to which the others are added.
        check: turns what was given into its name and itself, or raises ``error``.
        error: what a fault of the user is.
    """

    def __init__(
        self,
        kind: str,
        known: dict[str, T],
        check: Callable[[object], tuple[str, T]],
        error: type[ValueError],
    ) -> None:
        self.kind, self.group = kind, f"paretune.{kind}s"
        self.faults: list[str] = []
        """A sentence on every entry point that could not be used."""
        self._known, self._check, self._error = known, check, error
        self._origins: dict[str, str] = {}
        self._only_here: set[str] = set()
        self._loading: str | None = None
        """The distribution whose entry point is being loaded."""
        self._asked = False
        self._lock = threading.RLock()

    def discover(self) -> None:
        """Load the entry points of installed packages, once; what is wrong with one is kept as a sentence."""
        with self._lock:
            if self._asked:
                return
            self._asked = True
            for point in metadata.entry_points(group=self.group):
                whose = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
                self._loading = whose
                try:
                    found = point.load()
                    for one in found if isinstance(found, list | tuple) else [found]:
                        self.add(one, whose)
                except (Exception, SystemExit) as error:  # whatever a stranger's module does when imported
                    said = " ".join(str(error).split())[:300]
                    why = said if isinstance(error, self._error) else f"{type(error).__name__}: {said}"
                    what = f"The {self.kind} that {whose} brings ({point.value})"
                    self.faults.append(f"{what} cannot be used: {why.rstrip('.')}.")
                finally:
                    self._loading = None

    def register(self, given: object, caller: Mapping[str, Any]) -> None:
        """Add what a module brings itself; ``caller`` are that module's globals."""
        with self._lock:
            self.add(given, self._loading or f"registered by {_name_of(caller)}")

    def add(self, given: object, origin: str) -> None:
        """Add one thing under its name.

        Raises:
            ValueError: as ``error`` of the registry: it is no such thing, or its name is taken.
        """
        name, thing = self._check(given)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._error(
                f"received a {self.kind} with the name {name!r}, expected letters, digits, `.`, `_` and `-`, "
                f"such as my_{self.kind}."
            )
        if name in self._known:
            raise self._error(
                f"the name {name!r} is taken, by a {self.kind} {self._whose(name)}: expected another one, "
                "since a name means one thing in all records."
            )
        self._known[name] = thing
        self._origins[name] = origin
        if self._loading is None:
            self._only_here.add(name)

    def origin(self, name: str) -> str | None:
        """Whose a thing is; None where it is ours."""
        return self._origins.get(name)

    def only_here(self, name: str) -> bool:
        """Whether only this process knows a thing: it was registered, and no entry point brings it."""
        return name in self._only_here

    def beside(self, sentence: str) -> str:
        """A sentence about a name that is not known, and those about entry points that could not be used."""
        return " ".join([sentence, *self.faults])

    def _whose(self, name: str) -> str:
        origin = self._origins.get(name)
        if origin is None:
            return "of Paretune"
        return origin if origin.startswith("registered") else f"of {origin}"


def _name_of(module: Mapping[str, Any]) -> str:
    """What a module is called: the main one by its file, without the folder."""
    name = str(module.get("__name__", "__main__"))
    if name != "__main__":
        return name
    file = module.get("__file__")
    return Path(file).name if file else "an interactive session"
