"""Settings of training that a study states at several levels: what is said nearer to a trial wins.

Two settings may be rivals, of which a trial uses one: then the nearer one wins as well, whichever it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runners.plan.errors import SpecError

RIVALS = {("steps", "epochs"): "how long a trial trains"}
"""Settings of which one makes the other void, and what they both say."""


def overlaid(*levels: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What several levels state together.

    Args:
        levels: each with its name, the farthest first, such as ``("the study", {"steps": 300})``.

    Raises:
        SpecError: one level states two rivals.
    """
    found: dict[str, Any] = {}
    for name, stated in levels:
        for pair, what in RIVALS.items():
            given = [f"{key}={stated[key]!r}" for key in pair if stated.get(key) is not None]
            if len(given) > 1:
                raise SpecError(
                    f"{name} states {' and '.join(given)}, which both say {what}: expected one of them."
                )
        for key, value in stated.items():
            found.pop(key, None)
            found[key] = value  # at the end, so that the order tells which of two rivals is the nearer one
    for pair in RIVALS:
        given = [key for key in found if key in pair and found[key] is not None]
        for key in given[:-1]:
            del found[key]
    return found
