#!/usr/bin/env bash
# Expected: peft trains what it adds to a half-precision base in float32, whatever the method, so that small steps of
# the optimiser count.
# True: so it is for LoRA and the others, but LN tuning trains copies of the base's norms in the dtype that they have.
# At 1 the numbers of bfloat16 are 0.004 (below) and 0.008 (above) apart, and Adam's steps are as large as the learning
# rate: at 1e-3 not one of the weights, which start at 1 in a model made anew, moves in 20 steps, without a word. Seen
# with peft 0.21.0. A rate of 5e-3, or a base loaded in float32, moves them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import peft
import torch
from peft import LNTuningConfig, LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

sizes = dict(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
print(f"peft {peft.__version__}, torch {torch.__version__}")
moved = {}
for config in (LoraConfig(task_type="CAUSAL_LM"), LNTuningConfig(task_type="CAUSAL_LM")):
    torch.manual_seed(0)
    model = get_peft_model(LlamaForCausalLM(LlamaConfig(**sizes)).to(torch.bfloat16), config)
    trained = [p for p in model.parameters() if p.requires_grad]
    start = [p.detach().clone() for p in trained]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.0)
    ids = torch.randint(0, 60, (2, 12))
    for _ in range(20):
        model(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    name = config.peft_type.value
    moved[name] = sum(int((p != s).sum()) for p, s in zip(trained, start))
    total = sum(p.numel() for p in trained)
    print(f"{name}: trains in {trained[0].dtype}, {moved[name]} of {total} entries moved in 20 steps at 1e-3")
sys.exit(0 if moved["LN_TUNING"] == 0 and moved["LORA"] > 0 else 1)
PYTHON
