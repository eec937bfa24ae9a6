"""What went wrong, in a line for a record."""

from __future__ import annotations

import traceback
from pathlib import Path


class LostError(BaseException):
    """Another process of this run is gone; no trial can go on, and it is none's own failure."""


def describe(error: BaseException) -> str:
    """One line: type, message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}{place}"
