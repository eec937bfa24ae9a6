#!/usr/bin/env bash
# Expected: VeRA (arXiv 2310.11454) trains two vectors a layer and draws the rest from a seed, so that its file in peft is tiny: the
# paper gives the bytes of a seed and the vectors.
# True: by default the random projections are saved with them (save_projection is True). With rank 256 on layers of 768, 2,048
# numbers train, 8 kB, and the file has 1.6 MB, more than a LoRA of the same rank would train on one such layer. Smaller
# is only what is saved with save_projection=False. RandLoRA does the same. Seen with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import peft
from transformers import BertConfig, BertModel

print(f"peft {peft.__version__}")
SIZES = {"vocab_size": 50, "hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
SHARED = {"target_modules": ["query", "value"]}


def bytes_of(name: str, config: peft.PeftConfig) -> tuple[int, int]:
    """Of what trains, in float32, and of the file."""
    model = peft.get_peft_model(BertModel(BertConfig(**SIZES)), config)
    model.save_pretrained(name)
    trained = 4 * sum(p.numel() for p in model.parameters() if p.requires_grad)
    return trained, Path(name, "adapter_model.safetensors").stat().st_size


found = {
    "VeRA": bytes_of("vera", peft.VeraConfig(r=256, **SHARED)),
    "VeRA, save_projection=False": bytes_of("small", peft.VeraConfig(r=256, save_projection=False, **SHARED)),
    "RandLoRA": bytes_of("randlora", peft.RandLoraConfig(r=32, **SHARED)),
    "LoRA": bytes_of("lora", peft.LoraConfig(r=256, **SHARED)),
}
for name, (trained, stored) in found.items():
    print(f"{name}: {trained:,} bytes train, the file has {stored:,}")
vera, small, randlora, lora = (stored / trained for trained, stored in found.values())
sys.exit(0 if vera > 100 and small < 2 and randlora > 10 and lora < 1.1 else 1)
PYTHON
