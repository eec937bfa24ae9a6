"""What a metric needs that Paretune does not install. This file imports nothing of ours."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterable


def missing(metrics: Iterable[str]) -> str | None:
    """What some metrics need and this machine has not, as a clause; None where all can be computed.

    Args:
        metrics: their names. METEOR alone needs something (`tasks/written/meteor.py`).
    """
    if "meteor" not in metrics:
        return None
    lacks = [] if importlib.util.find_spec("pycocoevalcap") else ["`pip install paretune[meteor]`"]
    lacks += [] if shutil.which("java") else ["a Java runtime, `java` on the path"]
    return f"meteor is the official program in Java, and needs {' and '.join(lacks)}" if lacks else None
