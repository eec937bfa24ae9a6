#!/usr/bin/env bash
# Expected: prompt tuning of T5 (arXiv 2104.08691 puts a prompt in front of the encoder's input) with 5 tokens trains 5 vectors.
# True: peft makes 10, as if the decoder had some too, counts and saves them all, and its forward pass reads the first 5: the others have a
# gradient of exactly 0 and stay as they were drawn. A table of parameters gives the method twice what it uses. Seen
# with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import sys

import peft
import torch
import transformers
from transformers import T5Config, T5ForConditionalGeneration

print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
torch.manual_seed(0)
sizes = {"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4}
model = T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0))
model = peft.get_peft_model(model, peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5))
count, _ = model.get_nb_trainable_parameters()
tokens = torch.randint(2, 50, (2, 6))
model(input_ids=tokens, attention_mask=torch.ones_like(tokens), labels=tokens).loss.backward()
(trained,) = [p for p in model.parameters() if p.requires_grad]
reached = trained.grad.abs().sum(1) > 0
print(f"5 tokens of width 16: {count} numbers train, in {len(trained)} vectors; the gradient reaches {reached.tolist()}")
sys.exit(0 if count == 160 and reached.tolist() == [True] * 5 + [False] * 5 else 1)
PYTHON
