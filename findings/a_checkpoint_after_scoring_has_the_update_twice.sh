#!/usr/bin/env bash
# Expected: loralib, the code of the LoRA paper, saves a model alike before and after it was scored: a state that was saved
# from model.eval() and is loaded into a fresh model gives the answers of the model that it was saved from.
# True: eval() adds the update to the frozen weight in place, and train() takes it away. A state that is saved in
# between holds the update in the weight and in A and B as well; nothing in it says so. The fresh model, which starts in
# train mode, adds it once more: its answers are off by a whole update, and train() does not bring the base back. In
# bfloat16 the base also wears: adding and taking away do not cancel. Seen with loralib 0.1.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q loralib==0.1.2
"$folder/venv/bin/python" - <<'PYTHON'
import copy
import sys
from importlib.metadata import version

import loralib
import torch

torch.manual_seed(0)


def fresh():
    """A frozen layer of 8 to 8 with a LoRA of rank 2."""
    layer = loralib.Linear(8, 8, r=2, bias=False)
    loralib.mark_only_lora_as_trainable(layer)
    return layer


def answers(layer):
    """What it says when it is scored; loralib's eval() gives nothing back."""
    layer.eval()
    return layer(inputs)


inputs = torch.randn(4, 8)
trained = fresh()
base = trained.weight.detach().clone()
torch.nn.init.normal_(trained.lora_B)
states = {"train": copy.deepcopy(trained.state_dict())}
right = answers(trained)
states["eval"] = copy.deepcopy(trained.state_dict())
update = (right - inputs @ base.T).norm()
print(f"loralib {version('loralib')}, torch {torch.__version__}")
off = {}
for mode, state in states.items():
    loaded = fresh()
    loaded.load_state_dict(state)
    off[mode] = ((answers(loaded) - right).norm() / update).item()
    loaded.train()
    moved = (loaded.weight - base).norm() / base.norm()
    print(f"saved in {mode} mode: answers off by {off[mode]:.3f} updates, base by {moved:.3f} of its norm")
trained.train()
trained.bfloat16()
before = trained.weight.detach().clone()
for _ in range(100):
    trained.eval()
    trained.train()
worn = (trained.weight != before).float().mean().item()
print(f"in bfloat16, scored 100 times: {worn:.0%} of the frozen weights are others")
sys.exit(0 if off["train"] < 1e-4 and abs(off["eval"] - 1) < 0.01 and worn > 0.1 else 1)
PYTHON
