"""What a plan times where other jobs take the cores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from runners.plan import study
from runners.plan.forecast import Forecast, speedup
from runners.work import timed
from runners.work.forecast import forecast

WAITS = 1000
"""How many times as long everything takes by the clock on the wall of a busy machine."""


def _planned(content: dict[str, Any], folder: Path, clock: Any) -> Forecast:
    return forecast(study.parse_study(content), folder, clock=clock)


@pytest.mark.parametrize("threads", [1, 2])
def test_on_a_busy_machine_one_thread_is_timed_by_what_it_computes(
    tiny_model: str,
    glue_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    content = {
        "name": "small",
        "models": [tiny_model],
        "tasks": ["cola"],
        "methods": ["full", "lora"],
        "seeds": [0],
        "data": glue_folder,
        "protocol": {"steps": 40, "batch_size": 8, "train_examples": 5},
        "costs": "none",
    }
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = {}
        for waited in (0.0, 5.0):
            readings = iter([(0.0, 0.0), (5.0, waited)])
            monkeypatch.setattr(timed, "on_and_off", lambda readings=readings: next(readings))
            found[waited] = _planned(content, tmp_path, lambda: WAITS * time.perf_counter())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    quiet, busy = found[0.0], found[5.0]
    assert not any("busy" in sentence for sentence in quiet.assumed)
    (told,) = [sentence for sentence in busy.assumed if "busy" in sentence]
    assert "threads waited 50 % of the time for a core. So one was timed" in told
    assert (f"{speedup(threads):.3g} times as fast" in told) == (threads > 1)
    # What it waited for is no part of what is planned: WAITS times less, but for noise.
    assert 0 < busy.stages()["training"] < quiet.stages()["training"] / (WAITS / 20)
