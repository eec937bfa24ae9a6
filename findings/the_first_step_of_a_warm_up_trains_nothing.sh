#!/usr/bin/env bash
# Expected: with a linear warm-up of transformers (get_linear_schedule_with_warmup, what Trainer takes for warm-up steps), the
# first of ten warm-up steps trains at a tenth of the rate.
# True: it trains at rate 0: no weight moves, weight decay does not either, and only AdamW's moments and its count of steps
# have seen the batch. A training of N steps makes N - 1 updates, which counts where two methods are compared over twenty
# steps; torch's own LinearLR begins above 0 and refuses to begin at it. Seen with transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
torch.manual_seed(0)
layer = torch.nn.Linear(8, 8)
optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
schedule = transformers.get_linear_schedule_with_warmup(optimizer, num_warmup_steps=10, num_training_steps=20)
moved = []
for _ in range(20):
    before = layer.weight.detach().clone()
    rate = optimizer.param_groups[0]["lr"]
    optimizer.zero_grad()
    layer(torch.randn(4, 8)).square().mean().backward()
    optimizer.step()
    schedule.step()
    moved.append((rate, (layer.weight - before).abs().max().item()))
for step in (0, 1, 10, 19):
    print(f"step {step + 1}: rate {moved[step][0]:.3g}, the largest change of a weight {moved[step][1]:.2g}")
sys.exit(0 if moved[0] == (0.0, 0.0) and all(change > 0 for _, change in moved[1:]) else 1)
PYTHON
