#!/usr/bin/env bash
# Expected: a model in float64 gives a loss in float64, so that gradients can be checked to many digits.
# True: the loss of a model with a language head is computed in float32 whatever its weights are: logits are cast down on
# the way into the cross-entropy, and seven digits are left. Parts of a batch then differ from the whole by 1e-7, as if
# something were wrong. The loss of a classifier of the same library, and the logits of both, are in float64.
# Seen with transformers 5.23.0, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" transformers==5.23.0 torch==2.13.0
PYTHONPATH="$folder/site-packages" HF_HUB_OFFLINE=1 python3 - <<'PYTHON'
import torch
import transformers
from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel

print("transformers", transformers.__version__, "torch", torch.__version__)
config = GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=1, n_head=2, pad_token_id=0, eos_token_id=0)
ids = torch.arange(1, 9).view(1, 8)
found = {}
for kind, labels in ((GPT2LMHeadModel, ids), (GPT2ForSequenceClassification, torch.tensor([1]))):
    torch.manual_seed(0)
    out = kind(config).double().eval()(input_ids=ids, labels=labels)
    found[kind.__name__] = out.logits.dtype, out.loss.dtype
    print(kind.__name__, "logits", out.logits.dtype, "loss", out.loss.dtype)
raise SystemExit(
    found["GPT2LMHeadModel"] != (torch.float64, torch.float32)
    or found["GPT2ForSequenceClassification"] != (torch.float64, torch.float64)
)
PYTHON
