#!/usr/bin/env bash
# Expected: under peft's disable_adapter() a model answers as its base does, whichever method it was given, so that base and tuned
# model can be compared in one process.
# True: with prompt tuning, P-tuning and prefix tuning it works on models that can generate. On an encoder, say a classifier of BERT,
# it ends in an UnboundLocalError on a function that only a generating model has, as soon as the block is entered. LoRA can
# be switched off on both. Seen with peft 0.21.2 and transformers 5.23.0.
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
from peft import LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
bases = {
    "SEQ_CLS": lambda: BertForSequenceClassification(BertConfig(**sizes)),
    "CAUSAL_LM": lambda: LlamaForCausalLM(LlamaConfig(**sizes)),
}
targets = {"SEQ_CLS": ["query"], "CAUSAL_LM": ["q_proj"]}
ids = torch.arange(3, 12)[None]
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
found = {}
for task, make in bases.items():
    for name, config in {
        "LoRA": LoraConfig(target_modules=targets[task], init_lora_weights=False),
        "prompt tuning": PromptTuningConfig(num_virtual_tokens=3),
        "P-tuning": PromptEncoderConfig(num_virtual_tokens=3),
        "prefix tuning": PrefixTuningConfig(num_virtual_tokens=3),
    }.items():
        config.task_type = task
        base = make().eval()
        right = base(input_ids=ids).logits
        model = get_peft_model(base, config).eval()
        try:
            with model.disable_adapter():
                same = torch.equal(model(input_ids=ids).logits, right)
            found[task, name] = "the base" if same else "another model"
        except UnboundLocalError as error:
            found[task, name] = f"UnboundLocalError: {error}"
        print(f"{type(base).__name__}, {name} switched off: {found[task, name]}")
generating = {said for (task, _), said in found.items() if task == "CAUSAL_LM"}
prompts = [said for (task, name), said in found.items() if task == "SEQ_CLS" and name != "LoRA"]
as_said = generating == {"the base"} and found["SEQ_CLS", "LoRA"] == "the base"
sys.exit(0 if as_said and all(said.startswith("UnboundLocalError") for said in prompts) else 1)
PYTHON
