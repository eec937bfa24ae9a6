"""Joules of serving, where the machine counts them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import torch

from reports.records.serving_schema import WAYS, Energy, Mix, Way
from runners.device import synchronize
from runners.measure.energy import meter
from runners.measure.serving.ways import Inputs, Models, contenders

SECONDS: Final = 3.0
"""For which each way serves batches under the counter, which is updated a few times a second."""


def energy(
    served: Models, inputs: Inputs, mix: Mix, tasks: int, seed: int, device: torch.device
) -> Energy | None:
    """Joules for 1,000 rows, by the way that batches are served; None where no counter tells them.

    Args:
        served: what serves; it holds the tasks.
        inputs: of one batch.
        mix: how rows draw their tasks.
        tasks: that rows draw from.
        seed: of the draws.
        device: of the models.
    """
    found = meter(device)
    if found is None:
        return None
    calls, before, _ = contenders(served, inputs, mix, tasks, seed)
    rows = len(inputs["input_ids"])

    def busy(way: str) -> Callable[[], None]:
        def work() -> None:
            ends = time.perf_counter() + SECONDS
            with torch.inference_mode():
                while time.perf_counter() < ends:
                    before[way]()
                    calls[way]()
                    synchronize(device)
                    done.append(rows)

        return work

    done: list[int] = []
    if not found.moves(busy("base")):
        return None
    told: dict[Way, float] = {}
    for way in WAYS:
        if way in calls:
            done.clear()
            told[way] = 1000 * found.joules(busy(way)) / sum(done)
    return Energy(source=found.source, joules_per_1000_requests=told)
