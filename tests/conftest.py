"""For every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

# Consoles take their width when their module is first imported, whichever test comes first.
os.environ["COLUMNS"] = "300"


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small are done before a second thread is awake: two threads take four times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
