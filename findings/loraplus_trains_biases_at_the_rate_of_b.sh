#!/usr/bin/env bash
# Expected: LoRA+ (arXiv 2402.12354) as peft's create_loraplus_optimizer makes it gives the higher rate to the factors B;
# a classifier on top trains at the rate that was asked for.
# True: every trained tensor of one dimension has B's rate too: the classifier's bias trains at 16 times the rate of its
# weight, and so would any norm, bias or length (DoRA) that trains. Seen with peft 0.21.0. Whoever compares LoRA+ with
# LoRA also compares two rates of the head.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import peft
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import BertConfig, BertForSequenceClassification

sizes = dict(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
model = get_peft_model(BertForSequenceClassification(BertConfig(**sizes)), LoraConfig(task_type="SEQ_CLS", r=2))
optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=1e-4, loraplus_lr_ratio=16)
names = {id(parameter): name for name, parameter in model.named_parameters()}
rates = {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
print(f"peft {peft.__version__}, torch {torch.__version__}")
for name, rate in rates.items():
    print(f"{rate:g}  {name}")
weight, bias = (next(r for n, r in rates.items() if n.endswith(f"default.{kind}") and "classifier" in n)
                for kind in ("weight", "bias"))
sys.exit(0 if bias == 16 * weight else 1)
PYTHON
