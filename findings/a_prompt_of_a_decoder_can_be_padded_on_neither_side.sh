#!/usr/bin/env bash
# Expected: what a decoder under peft's prompt tuning says of a text does not hang on the batch that the text stands in. Padding is
# masked, so one side is as good as the other, as it is under LoRA.
# True: the prompt goes in front of the padding, and positions are counted through it. Padded on the left, as generate() asks for,
# a text stands as much further from its prompt as it was padded; position_ids that would say otherwise are dropped with a
# warning. Padded on the right, a classifier reads the last place of the row, which is padding, as it no longer sees the
# ids of tokens. Rows of other lengths in a batch change an answer on either side. Seen with peft 0.21.2, transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import peft
import torch
import transformers
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

transformers.logging.set_verbosity_error()
sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
kinds = {
    "LoRA": LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False),
    "prompt tuning": PromptTuningConfig(num_virtual_tokens=3),
}
torch.manual_seed(0)
text, padding = torch.randint(3, 60, (1, 5)), torch.zeros(1, 6, dtype=torch.long)


def says(model, ids):
    """What a classifier says of the row, or what a language model would write next."""
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=(ids != 0).long()).logits
    return logits if logits.ndim == 2 else logits[:, -1]


print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
off = {}
for name, config in kinds.items():
    for side, task, Model in (
        ("left", "CAUSAL_LM", LlamaForCausalLM),
        ("right", "SEQ_CLS", LlamaForSequenceClassification),
    ):
        config.task_type = task
        torch.manual_seed(1)
        model = get_peft_model(Model(LlamaConfig(**sizes, pad_token_id=0)), config).eval()
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter)
        alone = says(model, text)
        padded = says(model, torch.cat([padding, text] if side == "left" else [text, padding], dim=1))
        off[name, side] = ((padded - alone).norm() / alone.norm()).item()
        print(f"{name}, {Model.__name__}: with six tokens of padding on the {side} {off[name, side]:.6f} off")
least = min(found for (name, _), found in off.items() if name == "prompt tuning")
sys.exit(0 if least > 0.001 > 10 * max(found for (name, _), found in off.items() if name == "LoRA") else 1)
PYTHON
