#!/usr/bin/env bash
# Expected: one LoraConfig with task_type="SEQ_CLS" is one method, whether peft puts it into a model (get_peft_model) or transformers does
# (model.add_adapter): the fresh head trains and is saved.
# True: that this task type trains the head is known to peft's wrapper of models alone. Added by transformers the LoRA trains
# around a head that stays as it was drawn and is not in the file; with other heads drawn the loaded model answers
# otherwise. Nothing is said. modules_to_save=["classifier"] cures it. Seen with peft 0.21.2 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from transformers import BertConfig, BertForSequenceClassification

transformers.logging.set_verbosity_error()
sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)


def added_by_peft(model, config):
    """peft's wrapper around the model."""
    return get_peft_model(model, config)


def added_by_transformers(model, config):
    """The model itself, with the adapter inside."""
    model.add_adapter(config)
    return model


print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
found = {}
for add in (added_by_peft, added_by_transformers):
    for named in (None, ["classifier"]):
        config = LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], modules_to_save=named)
        model = add(BertForSequenceClassification(BertConfig(**sizes)), config)
        trains = [where for where, parameter in model.named_parameters() if parameter.requires_grad]
        model.save_pretrained(sys.argv[1])
        with safe_open(f"{sys.argv[1]}/adapter_model.safetensors", "pt") as file:
            saved = any("classifier" in where for where in file.keys())
        key = add.__name__, "named" if named else "not named"
        found[key] = any("classifier" in where for where in trains), saved
        does, where = "trains" if found[key][0] else "is frozen", "in" if saved else "not in"
        print(f"{key[0]}, the head {key[1]} in modules_to_save: it {does} and is {where} the file")
as_said = found.pop(("added_by_transformers", "not named")) == (False, False) and set(found.values()) == {(True, True)}
sys.exit(0 if as_said else 1)
PYTHON
