#!/usr/bin/env bash
# Expected: save_pretrained(..., path_initial_model_for_weight_conversion=START) writes what save_pretrained() writes, with
# a PiSSA adapter as an update of the untouched base.
# True: it writes the factors A and B alone. The trained head of a classifier (modules_to_save) is not in the file, no
# word is said, and the folder still names it in its configuration. Seen with peft 0.21.0; OLoRA and CorDA go through
# the same lines. Who keeps the converted folder alone has lost the head.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path

import peft
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification

folder = Path(sys.argv[1])
torch.manual_seed(0)
sizes = dict(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
config = LoraConfig(task_type="SEQ_CLS", r=2, init_lora_weights="pissa")
model = get_peft_model(BertForSequenceClassification(BertConfig(**sizes)), config)
model.peft_config["default"].init_lora_weights = True  # as peft's documentation has it
model.save_pretrained(folder / "start")
with torch.no_grad():  # training
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.add_(0.1 * torch.randn_like(parameter))
model.save_pretrained(folder / "plain")
model.save_pretrained(
    folder / "converted", path_initial_model_for_weight_conversion=str(folder / "start")
)
print(f"peft {peft.__version__}, torch {torch.__version__}")
heads = {}
for kind in ("plain", "converted"):
    tensors = load_file(folder / kind / "adapter_model.safetensors")
    heads[kind] = [name for name in tensors if "classifier" in name]
    named = json.loads((folder / kind / "adapter_config.json").read_text())["modules_to_save"]
    print(f"{kind}: {len(tensors)} tensors, of the head {heads[kind]}; modules_to_save: {named}")
sys.exit(0 if heads["plain"] and not heads["converted"] else 1)
PYTHON
