#!/usr/bin/env bash
# Expected: peft's add_weighted_adapter with combination_type="linear" and the weights 0.5 and 0.5 adds half of each LoRA's
# change to the weights, so that an adapter averaged with a copy of itself is that adapter.
# True: A and B are combined each for itself, with the roots of the weights, and multiplied then. The average with a copy
# changes the weights twice as much, and of two different adapters half of it are products of one's A with the other's B.
# "ties" at density 1 halves the copy. "cat" gives what the name "linear" promises, at the sum of the ranks. Seen with
# peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import peft
import torch
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertModel

torch.manual_seed(0)
sizes = dict(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
config = LoraConfig(r=2, lora_alpha=2, init_lora_weights=False)
model = get_peft_model(BertModel(BertConfig(**sizes)), config)
model.add_adapter("copy", config)
model.add_adapter("other", config)
for name, parameter in model.named_parameters():
    if ".default." in name:
        model.get_parameter(name.replace(".default.", ".copy.")).data.copy_(parameter.data)
layer = model.base_model.model.encoder.layer[0].attention.self.query
change = {name: layer.get_delta_weight(name) for name in ("default", "other")}
print(f"peft {peft.__version__}, torch {torch.__version__}")
found = {}
for kind in ("linear", "cat", "ties"):
    more = {"density": 1.0} if kind == "ties" else {}
    model.add_weighted_adapter(["default", "copy"], [0.5, 0.5], f"same_{kind}", combination_type=kind, **more)
    model.add_weighted_adapter(["default", "other"], [0.5, 0.5], f"two_{kind}", combination_type=kind, **more)
    times = (layer.get_delta_weight(f"same_{kind}") / change["default"]).mean().item()
    mean = (change["default"] + change["other"]) / 2
    off = ((layer.get_delta_weight(f"two_{kind}") - mean).norm() / mean.norm()).item()
    found[kind] = round(times, 3), off
    print(f"{kind}: averaged with its copy {times:.3f} of it; two adapters {off:.2f} of their mean's norm away from it")
as_said = found["linear"][0] == 2 and found["cat"][0] == 1 and found["ties"][0] == 0.5
sys.exit(0 if as_said and found["linear"][1] > 0.1 and found["cat"][1] < 1e-5 else 1)
PYTHON
