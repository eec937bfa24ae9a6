#!/usr/bin/env bash
# Expected: a DiReFT that AdapterHub's adapters saved answers, loaded again, as it did.
# True: what makes DiReFT of ReFT, that the projection is not subtracted, is a plain attribute of the class and no field of the
# configuration: it is not written. The folder says "reft", is loaded as one that subtracts, which is NoReFT, and
# the trained weights are taken over into that, all with the right names and shapes and without a word. NoReFT and LoReFT
# come back as they were. Seen with adapters 1.3.0 and transformers 4.57.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q adapters==1.3.0 transformers==4.57.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys

import adapters
import torch
import transformers
from adapters import BertAdapterModel
from transformers import BertConfig

transformers.logging.set_verbosity_error()
sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
ids = torch.arange(3, 12)[None]


def base():
    """The same each time."""
    torch.manual_seed(0)
    return BertAdapterModel(BertConfig(**sizes)).eval()


print(f"adapters {adapters.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
off, written = {}, {}
for kind in ("loreft", "noreft", "direft"):
    model = base()
    model.add_adapter("task", config=kind)
    for name, parameter in model.named_parameters():
        if "refts.task" in name:
            torch.nn.init.normal_(parameter)
    model.set_active_adapters("task")
    right = model.eval()(ids).last_hidden_state
    model.save_adapter(f"{sys.argv[1]}/{kind}", "task")
    with open(f"{sys.argv[1]}/{kind}/adapter_config.json") as stream:
        written[kind] = "subtract_projection" in json.load(stream)["config"]
    loaded = base()
    loaded.set_active_adapters(loaded.load_adapter(f"{sys.argv[1]}/{kind}"))
    off[kind] = ((loaded.eval()(ids).last_hidden_state - right).norm() / right.norm()).item()
    same = all(map(torch.equal, model.state_dict().values(), loaded.state_dict().values()))
    print(f"{kind}: loaded with {'the same' if same else 'other'} weights it is {off[kind]:.4f} off")
sys.exit(0 if off["direft"] > 0.01 and max(off["loreft"], off["noreft"]) < 1e-4 and not written["direft"] else 1)
PYTHON
