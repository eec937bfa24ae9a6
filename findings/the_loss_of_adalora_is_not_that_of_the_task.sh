#!/usr/bin/env bash
# Expected: a model that carries peft's AdaLoRA (arXiv 2303.10512) gives the loss of the task in evaluation mode, as with LoRA;
# what keeps its factors orthogonal belongs to the training.
# True: the penalty is added to the loss of every forward pass with labels, in evaluation mode too. Untouched, where every
# logit is still the base's, the loss of a small classifier is three times the cross-entropy of its own logits, and it
# grows with the factors. Who reports perplexity or picks a checkpoint by that loss compares another number than with
# every other method; the logits tell the loss of the task. Seen with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import peft
import torch
import transformers
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForSequenceClassification

print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SHARED = {"task_type": "SEQ_CLS", "target_modules": ["query"]}


def losses(config: peft.PeftConfig | None) -> tuple[float, float, torch.Tensor]:
    """The loss that the model gives, the cross-entropy of its logits, and these."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES, num_labels=2))
    batch = {"input_ids": torch.randint(0, 50, (4, 6)), "labels": torch.tensor([0, 1, 0, 1])}
    if config is not None:
        model = peft.get_peft_model(model, config)
    with torch.no_grad():
        out = model.eval()(**batch)
    return out.loss.item(), cross_entropy(out.logits, batch["labels"]).item(), out.logits


base = losses(None)
lora = losses(peft.LoraConfig(r=8, **SHARED))
adalora = losses(peft.AdaLoraConfig(init_r=8, target_r=4, total_step=100, **SHARED))
for name, (loss, task, _) in {"base": base, "lora": lora, "adalora": adalora}.items():
    print(f"{name}: loss {loss:.4f}, cross-entropy of its logits {task:.4f}")
same = all(torch.equal(logits, base[2]) for _, _, logits in (lora, adalora))
print(f"all give the same logits: {same}")
as_seen = same and abs(lora[0] - lora[1]) < 1e-6 and adalora[0] > adalora[1] + 0.5
sys.exit(0 if as_seen else 1)
PYTHON
