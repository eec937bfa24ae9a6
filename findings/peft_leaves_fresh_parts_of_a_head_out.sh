#!/usr/bin/env bash
# Expected: a LoRA for a classifier, saved and loaded again by peft on the same pretrained body, gives the same logits.
# True: with task_type SEQ_CLS peft trains and saves what is called "classifier" or "score", nothing else of the head.
# DeBERTa's pooler and ModernBERT's head are layers of the head too, fresh in every model made from a pretrained body:
# they stay random and frozen while LoRA trains around them, are not in the folder, and are drawn anew by who loads it.
# So the loaded model gives other logits, without a word; modules_to_save=["pooler"] or ["head"] cures it. BERT, whose
# pooler is pretrained, shows nothing. Seen with peft 0.21.2 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import peft
import torch
import transformers
from transformers import AutoModel, AutoModelForSequenceClassification as Classifier

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
sizes = dict(vocab_size=90, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
own = {
    "bert": ({}, ["query"]),
    "deberta-v2": (dict(pooler_hidden_size=32), ["query_proj"]),
    "modernbert": (dict(cls_token_id=1, sep_token_id=2), ["Wqkv"]),
}
ids = torch.arange(5, 17)[None]
differences = {}
for kind, (more, targets) in own.items():
    torch.manual_seed(0)
    special = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    body = f"{sys.argv[1]}/{kind}"
    AutoModel.from_config(transformers.AutoConfig.for_model(kind, **sizes, **special, **more)).save_pretrained(body)
    config = peft.LoraConfig(task_type="SEQ_CLS", target_modules=targets)
    model = peft.get_peft_model(Classifier.from_pretrained(body, num_labels=3), config).eval()
    model.save_pretrained(f"{body}-lora")
    torch.manual_seed(1)  # another day
    again = peft.PeftModel.from_pretrained(Classifier.from_pretrained(body, num_labels=3), f"{body}-lora").eval()
    with torch.no_grad():
        difference = (model(input_ids=ids).logits - again(input_ids=ids).logits).abs().max().item()
    differences[kind] = difference
    print(f"peft {peft.__version__}, {kind}: saved and loaded, a logit differs by {difference:.2g}")
sys.exit(0 if differences["bert"] == 0 < min(differences["deberta-v2"], differences["modernbert"]) else 1)
PYTHON
