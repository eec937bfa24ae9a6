"""For every test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
import torch

# Consoles take their width when their module is first imported, whichever test comes first.
os.environ["COLUMNS"] = "300"

ALONE = "PYTEST_XDIST_WORKER" not in os.environ
if ALONE:  # the workers have their caches in the same folder, and nothing is kept in the user's
    os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(prefix="paretune-tests-")


def pytest_collection_finish() -> None:
    """Leave thousands of collected tests out of every garbage collection that a measurement begins with."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    if ALONE:
        shutil.rmtree(os.environ["HF_DATASETS_CACHE"], ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def little_to_collect() -> Iterator[None]:
    """Leave what a module has imported out of later collections: a trial begins a dozen of them."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small are done before a second thread is awake: two threads take four times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
