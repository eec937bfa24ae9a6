#!/usr/bin/env bash
# Expected: under AdapterHub's adapters, as without it, padding on the right that is masked out changes nothing of what an encoder
# says of a text, whichever method it was given.
# True: for bottlenecks, LoRA and prefix tuning so it is. The gates of UniPELT take the mean over all places of a row, those of
# padding too. And the places of a prompt look at padding: the mask is made longer for them with nothing hidden, so that they
# read what is masked for the text, and pass it on. A text gets another answer with every longest text of its batch, and
# one that was trained in batches another when it is asked alone. Seen with adapters 1.3.0 and transformers 4.57.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q adapters==1.3.0 transformers==4.57.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import adapters
import torch
import transformers
from adapters import BertAdapterModel
from transformers import BertConfig

transformers.logging.set_verbosity_error()
sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
text = torch.arange(3, 12)[None]
padded = torch.nn.functional.pad(text, (0, 20))
mask = (padded != 0).long()
print(f"adapters {adapters.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
off = {}
for kind in ("seq_bn", "lora", "prefix_tuning", "prompt_tuning", "unipelt"):
    torch.manual_seed(0)
    model = BertAdapterModel(BertConfig(**sizes))
    frozen = {name for name, _ in model.named_parameters()}
    model.add_adapter("task", config=kind)
    model.add_classification_head("task", num_labels=3)
    model.set_active_adapters("task")
    for name, parameter in model.named_parameters():
        if name not in frozen:
            torch.nn.init.normal_(parameter)
    model.eval()
    with torch.no_grad():
        alone = model(text, attention_mask=torch.ones_like(text)).logits
        beside = model(padded, attention_mask=mask).logits
    off[kind] = ((beside - alone).norm() / alone.norm()).item()
    print(f"{kind}: with 20 places of masked padding {off[kind]:.6f} off")
reads = {kind for kind, one in off.items() if one > 1e-4}
sys.exit(0 if reads == {"prompt_tuning", "unipelt"} and max(off[kind] for kind in {*off} - reads) < 1e-5 else 1)
PYTHON
