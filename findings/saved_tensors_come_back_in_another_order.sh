#!/usr/bin/env bash
# Expected: a state dict that is saved with safetensors comes back with its tensors in the order in which a model has them,
# as it does from torch.save.
# True: the file has them by the width of their numbers, widest first, and by name then, and that is the order of what is
# loaded: ten blocks come as 0, 1, 10, 2. Whoever pairs what was loaded with model.parameters() by position (an optimiser's
# state, a mean of several checkpoints) pairs tensors of equal shape with one another's. Seen with safetensors 0.8.0 and
# torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q safetensors==0.8.0 packaging numpy
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys

import safetensors
import torch
from safetensors.torch import load_file, save_file

blocks = torch.nn.Sequential(*(torch.nn.Linear(2, 2, bias=False) for _ in range(11)))
blocks[7].double()
saved = blocks.state_dict()
save_file(saved, "blocks.safetensors")
loaded = load_file("blocks.safetensors")
print(f"safetensors {safetensors.__version__}, torch {torch.__version__}")
print("saved: ", *(name.split(".")[0] for name in saved))
print("loaded:", *(name.split(".")[0] for name in loaded))
sys.exit(0 if list(loaded) == ["7.weight", *sorted(set(saved) - {"7.weight"})] else 1)
PYTHON
