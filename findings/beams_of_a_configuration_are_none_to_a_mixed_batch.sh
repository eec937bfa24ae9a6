#!/usr/bin/env bash
# Expected: peft's generate() with `adapter_names`, one adapter for each row, does what the model's generate() does: beams and
# several sequences of each row may be asked for in every way that transformers takes.
# True: rows are repeated together with their adapters only where `num_beams` is an argument of that very call. The same number
# of beams in a GenerationConfig, given or the model's own, and several sampled sequences of each row end in a ValueError on the
# length of `adapter_names`, from inside the first layer.
# Seen with peft 0.21.0 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder/site-packages" peft==0.21.0 transformers==5.23.0 torch==2.13.0 accelerate==1.15.0 \
    numpy==2.4.6
PYTHONPATH="$folder/site-packages" python3 - <<'PYTHON'
import warnings

import peft
import torch
import transformers
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

warnings.simplefilter("ignore")
print("peft", peft.__version__, "transformers", transformers.__version__)
torch.manual_seed(0)
sizes = {"vocab_size": 50, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 40}
base = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=49, pad_token_id=0))
lora = peft.LoraConfig(task_type="CAUSAL_LM", r=2, init_lora_weights=False)
model = peft.get_peft_model(base, lora, "first")
model.add_adapter("second", lora)
model.eval()
rows = torch.randint(1, 49, (2, 5))
inputs = {"input_ids": rows, "attention_mask": torch.ones_like(rows), "adapter_names": ["first", "second"]}
asked = {
    "beams as an argument": {"num_beams": 2, "max_new_tokens": 3},
    "beams in a GenerationConfig": {"generation_config": GenerationConfig(num_beams=2, max_new_tokens=3, pad_token_id=0)},
    "two samples of each row": {"do_sample": True, "num_return_sequences": 2, "max_new_tokens": 3},
}
works = {}
for name, more in asked.items():
    try:
        told = f"{tuple(model.generate(**inputs, **more).shape)}"
        works[name] = True
    except ValueError as error:
        told, works[name] = f"ValueError: {error}", False
    print(f"{name}: {told}")
if list(works.values()) != [True, False, False]:
    raise SystemExit("this has changed")
PYTHON
