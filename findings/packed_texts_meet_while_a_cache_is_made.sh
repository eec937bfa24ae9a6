#!/usr/bin/env bash
# Expected: position_ids that begin again inside a row, without a mask, keep the packed texts of that row apart (the
# mask that transformers makes is then block diagonal), whatever else is asked for, and in training above all.
# True: they are kept apart only where no key/value cache is made. use_cache is true by default in a decoder's
# configuration, in training mode too, and then each text attends to those in front of it: another loss, without a word.
# use_cache=False (or gradient checkpointing, which turns the cache off) makes the rows what they are alone. Seen with
# transformers 5.23.0; older versions were not tried.
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
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
sizes = dict(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
model = LlamaForCausalLM(LlamaConfig(**sizes, initializer_range=0.3)).train()
ids = torch.randint(3, 60, (1, 11))
positions = torch.cat([torch.arange(4), torch.arange(7)])[None]
with torch.no_grad():
    alone = torch.cat([model(input_ids=part).logits for part in ids.split((4, 7), dim=1)], dim=1)
    packed = {
        "by default": model(input_ids=ids, position_ids=positions).logits,
        "with use_cache=False": model(input_ids=ids, position_ids=positions, use_cache=False).logits,
    }
print(f"transformers {transformers.__version__}, torch {torch.__version__}")
same = {}
for how, logits in packed.items():
    same[how] = torch.allclose(logits, alone, atol=1e-4)
    print(f"{how}: largest difference to the texts alone {float((logits - alone).abs().max()):.2g}")
sys.exit(0 if not same["by default"] and same["with use_cache=False"] else 1)
PYTHON
