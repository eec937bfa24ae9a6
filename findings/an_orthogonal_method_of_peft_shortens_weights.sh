#!/usr/bin/env bash
# Expected: OFT (orthogonal fine-tuning, arXiv 2306.07280) as peft makes it rotates weights: the lengths of a layer's weight
# vectors and the angles between them stay what they were, which is what the method is for.
# True: by default (use_cayley_neumann=True) the inverse in Cayley's transform is a series cut off after five terms, and the
# product is a rotation only while its matrix is small. A step of Adam moves every entry by the learning rate, and 32 of
# them to a row add up: trained on noise at 0.001, weights have lost a twentieth to a fifth of their length after 100 steps and a
# quarter to a half and more after 300. With use_cayley_neumann=False they keep it to five digits. What is trained is then another method
# at high rates or many steps than at low ones, and nothing is said. Seen with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0 accelerate==1.15.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import peft
import torch
from torch import nn

print(f"peft {peft.__version__}, torch {torch.__version__}")
torch.manual_seed(0)
inputs, wanted = torch.randn(256, 64), torch.randn(256, 64)
start = nn.Linear(64, 64).state_dict()


def lengths(steps: int, **options: bool) -> tuple[float, float]:
    """The least and the most that is left of a weight vector's length after so many steps."""
    base = nn.Sequential(nn.Linear(64, 64))
    base[0].load_state_dict(start)
    model = peft.get_peft_model(base, peft.OFTConfig(target_modules=["0"], oft_block_size=32, **options))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.001, weight_decay=0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), wanted).backward()
        optimizer.step()
    weight = model.merge_and_unload()[0].weight
    left = weight.norm(dim=1) / start["weight"].norm(dim=1)
    return left.min().item(), left.max().item()


found = {}
for name, options in (("default", {}), ("use_cayley_neumann=False", {"use_cayley_neumann": False})):
    for steps in (10, 30, 100, 300):
        found[name, steps] = lengths(steps, **options)
        low, high = found[name, steps]
        print(f"{name}, {steps} steps at 0.001: weights keep {low:.4f} to {high:.4f} of their length")
exact = all(abs(edge - 1) < 1e-5 for steps in (10, 30, 100, 300) for edge in found["use_cayley_neumann=False", steps])
sys.exit(0 if exact and found["default", 100][0] < 0.99 and found["default", 300][0] < 0.7 else 1)
PYTHON
