#!/usr/bin/env bash
# Expected: save_pretrained(folder, state_dict=weights) writes the weights and leaves the dict as it was.
# True: it takes every tensor out of the caller's dict as it writes. Saving the same dict into a second folder, which
# one does for a best and a last checkpoint or for a part of the weights, writes a config.json and no weights at all, and
# says nothing; that folder fails when somebody loads it. A model's own state_dict() is made anew each time, so saving
# without the argument shows nothing. Handing over a copy, dict(weights), cures it.
# Seen with transformers 5.23.0; older versions were not tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os
import sys

import transformers
from transformers import BertConfig, BertForSequenceClassification

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
sizes = dict(vocab_size=90, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
model = BertForSequenceClassification(BertConfig(**sizes))
weights = dict(model.state_dict())
print(f"transformers {transformers.__version__}")
print(f"tensors before:                  {len(weights)}")
first, second, copied = (f"{sys.argv[1]}/{name}" for name in ("first", "second", "copied"))
model.save_pretrained(first, state_dict=weights)
left = len(weights)
print(f"after saving them into a folder: {left}")
model.save_pretrained(second, state_dict=weights)
print(f"in the first folder:             {sorted(os.listdir(first))}")
print(f"in the second:                   {sorted(os.listdir(second))}")
weights = dict(model.state_dict())
model.save_pretrained(copied, state_dict=dict(weights))
print(f"after saving a copy of the dict: {len(weights)}")
lost = "model.safetensors" in os.listdir(first) and "model.safetensors" not in os.listdir(second)
sys.exit(0 if left == 0 and lost and len(weights) == len(model.state_dict()) else 1)
PYTHON
