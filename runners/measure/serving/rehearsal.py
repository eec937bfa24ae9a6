"""Arrivals as they are simulated, served in truth: whether the simulation says what happens."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from methods import Checkpoint
from reports.records.serving_schema import Way
from runners.device import synchronize
from runners.measure.serving.queue import Queue
from runners.measure.serving.ways import Inputs, Models, answers, task_name

NEAR_SECONDS = 0.002
"""Before the next arrival the server stays awake, since a sleep may end late by that."""


@dataclass(frozen=True)
class Played:
    """What happened.

    Args:
        done: seconds at which requests were answered, shape (requests,).
        batches: requests, tasks among them, and whether another task was switched to, of each batch.
        seconds: that each batch took.
    """

    done: NDArray[np.float64]
    batches: list[tuple[int, int, bool]]
    seconds: list[float]


def served(
    models: Models,
    pool: Inputs,
    at: NDArray[np.float64],
    tasks: NDArray[np.int64],
    way: Way,
    largest: int,
    device: torch.device,
) -> Played:
    """Serve requests as they arrive.

    Args:
        models: what serves; its bank and its checkpoints have the tasks.
        pool: inputs, of which a request is one row.
        at: seconds of arrival, rising, shape (requests,).
        tasks: the task of each, shape (requests,).
        way: how batches are made up.
        largest: requests of a batch at the most.
        device: of the models.
    """
    who = tasks.tolist()
    queue = Queue(at.tolist(), who, way, largest)
    size = pool["input_ids"].shape[0]
    done = np.empty(len(at))
    batches: list[tuple[int, int, bool]] = []
    seconds: list[float] = []
    loaded: Checkpoint | None = None
    with torch.inference_mode():
        started = time.perf_counter()
        while True:
            batch = queue.take(time.perf_counter() - started)
            if not batch:
                following = queue.next_at()
                if following is None:
                    return Played(done, batches, seconds)
                time.sleep(max(0.0, following - (time.perf_counter() - started) - NEAR_SECONDS))
                continue
            began, before = time.perf_counter(), loaded
            rows = torch.tensor([one % size for one in batch], device=device)
            inputs = {name: value[rows] if torch.is_tensor(value) else value for name, value in pool.items()}
            if way == "merged in turn":
                loaded = _switched(models, models.checkpoints[who[batch[0]]], loaded)
            _answer(models, inputs, way, [task_name(who[one]) for one in batch])
            synchronize(device)
            ended = time.perf_counter()
            done[batch] = ended - started
            batches.append((len(batch), len({who[one] for one in batch}), loaded is not before))
            seconds.append(ended - began)


def _switched(models: Models, wanted: Checkpoint, loaded: Checkpoint | None) -> Checkpoint:
    assert models.merged is not None
    if wanted is not loaded:
        models.merged.switch(wanted)
    return wanted


def _answer(models: Models, inputs: Inputs, way: Way, names: list[str]) -> Tensor:
    if way == "merged in turn":
        assert models.merged is not None
        return answers(models.merged.model(**inputs))
    return answers(models.bank.model(**inputs, task=names if way == "mixed" else names[0]))
