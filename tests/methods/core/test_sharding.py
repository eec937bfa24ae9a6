"""Two processes that hold a half of every parameter each, on the CPU with gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

import methods

from ..conftest import inputs, logits, tiny
from .sharded import METHODS, trained

ROOT = Path(__file__).parents[3]


def test_a_sharded_model_is_counted_saved_and_loaded_whole(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("sharded.py"))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path)], env=environment, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    for process in started:
        _, errors = process.communicate(timeout=110)
        assert process.returncode == 0, errors[-2000:]
    told = json.loads((tmp_path / "told.json").read_text())
    for name in METHODS:
        alone = trained(name)
        assert told[name] == {"counts": alone.parameter_counts(), "bytes": alone.stored_bytes()}
        saved, expected = methods.Checkpoint.read(tmp_path / name), alone.checkpoint()
        assert saved.options == expected.options
        assert saved.model == expected.model
        assert saved.tensors.keys() == expected.tensors.keys()
        for key, tensor in expected.tensors.items():
            assert torch.allclose(saved.tensors[key], tensor, atol=1e-5), key
        loaded, batch = methods.load(tiny("bert"), tmp_path / name), inputs(alone.model)
        assert torch.allclose(logits(loaded.model, batch), logits(alone.model, batch), atol=1e-4)
