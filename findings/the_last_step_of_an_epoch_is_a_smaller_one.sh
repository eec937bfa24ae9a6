#!/usr/bin/env bash
# Expected: under accelerate's `accumulate`, with four batches to a step, a step that is made of fewer at the end of an epoch is the mean
# of those it has, as every other step is the mean of four.
# True: the step is made, since the loader ends, and the loss of every batch was divided by four: of ten batches the last two
# make a step of half a gradient, of nine the last one a quarter. With SGD the rate is half there, with clipping and Adam's
# second moments another one than it seems, once an epoch, most on small data, where an epoch has few steps. Nothing is said.
# drop_last does not help, as it drops rows of a batch and not batches of a step. Seen with accelerate 1.15.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q accelerate==1.15.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import accelerate
import torch
from torch.utils.data import DataLoader

print(f"accelerate {accelerate.__version__}, torch {torch.__version__}")
accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=4)


def gradients(batches: int) -> list[float]:
    """The gradient of each step of one epoch, where that of every batch is 1."""
    layer = torch.nn.Linear(1, 1, bias=False)
    loader = DataLoader(torch.ones(batches, 1), batch_size=1, drop_last=True)
    layer, optimizer, loader = accelerator.prepare(layer, torch.optim.SGD(layer.parameters(), lr=0.1), loader)
    seen = []
    for batch in loader:
        with accelerator.accumulate(layer):
            accelerator.backward(layer(batch).mean())
            if accelerator.sync_gradients:
                seen.append(layer.weight.grad.item())
            optimizer.step()
            optimizer.zero_grad()
    return seen


found = {batches: gradients(batches) for batches in (8, 9, 10)}
for batches, steps in found.items():
    print(f"{batches} batches, four to a step: the gradients of the steps are {steps}")
sys.exit(0 if found == {8: [1.0, 1.0], 9: [1.0, 1.0, 0.25], 10: [1.0, 1.0, 0.5]} else 1)
PYTHON
