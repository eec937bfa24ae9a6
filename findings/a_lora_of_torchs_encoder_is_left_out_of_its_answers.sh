#!/usr/bin/env bash
# Expected: a LoRA that peft puts on the feed-forward layers of torch's own nn.TransformerEncoder, linear1 and linear2, changes what
# the model answers as it changes what it is trained on.
# True: in evaluation mode nn.TransformerEncoderLayer takes a fused path, which calls none of its layers and reads their
# `weight`. A layer of peft has that attribute, the base's weight, so the fused path finds what it needs and computes the model
# without the LoRA: training sees it, every score and answer is the untrained base's, with gradients recorded or not, and nothing is
# said. After merging it counts, so that a merged model answers otherwise than the one that was scored. Without the fused
# path (torch.backends.mha.set_fastpath_enabled(False)) both modes agree. Seen with peft 0.21.2 and torch 2.13.0.
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


class Classifier(nn.Module):
    """An encoder of torch's own layers with the mean over tokens and two classes behind it."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(inputs).mean(dim=1))


config = peft.LoraConfig(target_modules=["linear1", "linear2"], init_lora_weights=False)
model = peft.get_peft_model(Classifier(), config)
inputs = torch.randn(4, 6, 16)


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference."""
    return (one - other).abs().max().item()


training = model.train()(inputs).detach()
with model.disable_adapter():
    base = model(inputs).detach()
model.eval()
recorded = model(inputs).detach()
with torch.no_grad():
    answered = model(inputs)
    torch.backends.mha.set_fastpath_enabled(False)
    slow = model(inputs)
    torch.backends.mha.set_fastpath_enabled(True)
    merged = model.merge_and_unload().eval()(inputs)
print(f"in training mode the LoRA moves the logits by up to {apart(training, base):.4f}")
print(f"in evaluation mode by {apart(recorded, base):.1e} with gradients and {apart(answered, base):.1e} without")
print(f"without the fused path evaluation mode is {apart(slow, training):.1e} from training mode")
print(f"merged it is {apart(merged, training):.1e} from training mode")
held = apart(training, base) > 0.01 and max(apart(recorded, base), apart(answered, base)) < 1e-5
sys.exit(0 if held and max(apart(slow, training), apart(merged, training)) < 1e-5 else 1)
PYTHON
