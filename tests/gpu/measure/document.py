"""What a run has found so far: a JSON document, and the page made from it, both written after every item."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.records.atomic import write_atomically
from runners.failures import describe

from .page import page

Found = dict[str, Any]
"""What an item found, ready for JSON. ``ok`` says whether it is as it should be."""


@dataclass(frozen=True)
class Item:
    """One thing to measure: what it is of, and what measures it."""

    about: dict[str, str]
    measure: Callable[[], Found]


@dataclass
class Document:
    """The document of a run in its folder."""

    folder: Path
    content: dict[str, Any]

    def write(self) -> None:
        """Write both files; a run that is killed leaves the last whole ones."""
        text = json.dumps(_finite(self.content), indent=1, allow_nan=False)
        write_atomically(self.folder / "measured.json", text + "\n", durable=False)
        write_atomically(self.folder / "measured.md", page(self.content), durable=False)

    def measure(self, part: str, items: Iterable[Item], ends: float, after: Callable[[], None]) -> None:
        """Measure the items of a part, one after another, until the clock shows ``ends``.

        An item that raises is reported with its message; one whose time has come too late is named.

        Args:
            part: its name in the document.
            items: what to measure, the most important first.
            ends: on the clock of ``time.monotonic``; the item that is running then is ended.
            after: called after every item.
        """
        began = time.monotonic()
        found: Found = {"seconds": 0.0, "items": [], "left_out": []}
        self.content["parts"][part] = found
        for item in items:
            started = time.monotonic()
            if started >= ends:
                found["left_out"].append(item.about)
                continue
            try:
                outcome = {"ok": True, **item.measure()}
            except Exception as error:
                outcome = {"ok": False, "message": describe(error)}
            after()
            now = time.monotonic()
            found["items"].append({**item.about, **outcome, "seconds": round(now - started, 3)})
            found["seconds"] = round(now - began, 3)
            self.write()
        self.write()

    @property
    def is_good(self) -> bool:
        """Whether everything was measured and is as it should be."""
        parts = self.content["parts"].values()
        return all(item["ok"] for part in parts for item in part["items"]) and not any(
            part["left_out"] for part in parts
        )


def _finite(value: Any) -> Any:
    """The value with numbers that JSON has not written out as words."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
