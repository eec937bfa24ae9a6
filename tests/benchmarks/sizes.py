"""Trials at the sizes people have, in 6 GB of host memory: measured beside predicted. Run by hand.

    python tests/benchmarks/sizes.py models    # a folder with the models in folders of the names below

A LoRA trial of a 110 M encoder in bfloat16, and a QLoRA trial (nf4) of a 135 M decoder, three steps of 4 rows
of at most 64 tokens each. Few bits cannot be predicted exactly: for these the prediction is that of the same
model in bfloat16, less what its linear layers save by arithmetic, and what unpacking takes is not in it.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

from torch import nn

from methods.anatomy import Anatomy
from runners import models
from runners.measure.footprint import Setting, Workbench
from runners.numerics import Numerics
from runners.plan.spec import TrialSpec
from runners.trials.trial import run_trial

LIMIT = 6 * 10**9
PROTOCOL: dict[str, Any] = {"steps": 3, "batch_size": 4, "max_length": 64, "scored_examples": 8}
HALF: dict[str, Any] = {"precision": "bfloat16", "base_dtype": "bfloat16"}
TRIALS = {"mpnet-base": HALF, "smollm2-135m": {**HALF, "quantization": "nf4"}}
NF4 = 0.5 + 4 / 64
"""Bytes of a weight: 4 bits, and a float32 for every 64."""


def saved(model: str) -> float:
    """Bytes that the body's linear layers save in nf4, beside bfloat16."""
    body = Anatomy(models.skeleton(model)).body
    return sum((2 - NF4) * m.weight.numel() for m in body.modules() if isinstance(m, nn.Linear))


def main(folder: Path) -> None:
    """Run both trials."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    for name, stored in TRIALS.items():
        model = str(folder / name)
        spec = TrialSpec(
            model=model,
            task="rotten_tomatoes",
            method="lora",
            protocol=PROTOCOL | stored,
            costs={"latency_rounds": 10},
        )
        record = run_trial(spec)
        print(f"{name}: {record.status} {record.message or ''} {record.gaps or ''}")
        memory = record.memory
        assert memory is not None
        packed = "quantization" in stored
        bench = Workbench(
            Setting(model, memory.batch_size, memory.sequence_length or 1, stored=Numerics(**HALF)),
            "predicted",
        )
        found, less = bench.footprint("lora", {}), saved(model) if packed else 0.0
        for field in ("parameters_bytes", "peak_training_bytes", "peak_inference_bytes"):
            measured, predicted = getattr(memory, field), getattr(found, field) - less
            print(f"  {field:22} measured {measured / 1e6:8.1f} MB, predicted {predicted / 1e6:8.1f} MB")
        print(f"  best_weights_bytes     {memory.best_weights_bytes}, predicted {found.best_weights_bytes}")
        print(f"  batch                  {memory.batch_size} x {memory.sequence_length}")
        print(f"  largest resident set   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
