"""Two processes on the CPU: the same code as on two GPUs, with gloo in NCCL's place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports import read_records
from runners.plan import study
from runners.work import execute


@pytest.fixture
def content(tiny_model: str, glue_folder: str, quick: dict[str, Any]) -> dict[str, Any]:
    listed = {"models": [tiny_model], "tasks": ["cola"], "methods": ["lora"], "data": glue_folder}
    return listed | {
        "name": "two",
        "protocol": quick | {"learning_rate": 1e-2},
        "costs": {"latency_rounds": 10, "latency_length": 8},
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_write_one_record_each_trial_and_agree_with_one(
    content: dict[str, Any], tmp_path: Path
) -> None:
    path, out = tmp_path / "two.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(content))
    # What `accelerate launch` does for several GPUs; for a CPU it starts no second process by itself.
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    launch += ["--master_port", str(free_port()), "-m", "runners.cli"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*launch, "run", str(path), "--out", str(out)],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=55,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (two,) = read_records(out)
    assert two.status == "completed", two.message
    assert two.environment.processes == 2

    (one,) = execute.run_study(study.parse_study(content), tmp_path / "alone", [])
    assert two.trial_id == one.trial_id
    assert two.training is not None
    assert one.training is not None
    assert two.training.examples == one.training.examples == 48
    assert two.scores is not None
    assert one.scores is not None
    assert two.scores.majority == one.scores.majority
    losses = [[point.train_loss for point in record.curve] for record in (one, two)]
    assert losses[0] == pytest.approx(losses[1], abs=0.05)
