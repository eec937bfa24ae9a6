#!/usr/bin/env bash
# Expected: an 8-bit AdamW keeps the two moments of whatever trains in 8 bits, a LoRA's as a whole model's.
# True: tensors of fewer than 4,096 numbers keep 32 bits, in torchao as in bitsandbytes. The factors of a LoRA of rank 8 on
# layers of 384 have 3,072, so on MiniLM nothing at all is in 8 bits, and neither is it at rank 4 on layers of 768; at rank
# 8 there it is. Neither library says so at run time. Seen with torchao 0.18.0 and bitsandbytes 0.50.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0 torchao==0.18.0 bitsandbytes==0.50.2
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import sys

import bitsandbytes
import peft
import torch
import torchao
from torchao.optim import AdamW8bit
from transformers import BertConfig, BertForSequenceClassification

print(f"torchao {torchao.__version__}, bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}")
SIZES = {"vocab_size": 50, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def moments(library: str, width: int, rank: int) -> set[str]:
    """How the first moments of a LoRA are kept after a step."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES, hidden_size=width))
    model = peft.get_peft_model(model, peft.LoraConfig(r=rank, target_modules=["query", "value"]))
    made = {"torchao": AdamW8bit, "bitsandbytes": bitsandbytes.optim.AdamW8bit}[library]
    optimizer = made([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    model(input_ids=torch.randint(0, 50, (4, 6)), labels=torch.tensor([0, 1, 0, 1])).loss.backward()
    optimizer.step()
    if library == "torchao":
        return {"32 bits" if type(s["exp_avg"]) is torch.Tensor else "8 bits" for s in optimizer.state.values()}
    return {{torch.float32: "32 bits", torch.uint8: "8 bits"}[s["state1"].dtype] for s in optimizer.state.values()}


as_seen = True
for width, rank, expected in ((384, 8, "32 bits"), (768, 4, "32 bits"), (768, 8, "8 bits")):
    for library in ("torchao", "bitsandbytes"):
        found = moments(library, width, rank)
        print(f"rank {rank} on layers of {width}, factors of {rank * width:,}: {library} keeps {', '.join(found)}")
        as_seen &= found == {expected}
sys.exit(0 if as_seen else 1)
PYTHON
