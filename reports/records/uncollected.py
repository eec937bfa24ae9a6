"""Making a great many objects that refer to no object that refers to them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Leave the search for reference cycles off.

    It starts again whenever so many objects were made, and walks over all that there are: half of the time
    that reading ten thousand records takes, and it finds nothing, for records hold no cycle.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
