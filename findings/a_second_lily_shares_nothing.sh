#!/usr/bin/env bash
# Expected: a method of peft is the same whether it is a model's first adapter or its second: Lily shares one bank of B over all
# layers and one A over blocks of them, and the parameters that it trains, saves and loads are as many each time.
# True: the first adapter shares; one of the same configuration that is added to it gives every layer factors of its own, so
# that it trains another and larger model. Its file has them all; loaded alone, as a first one, it shares again and
# answers otherwise than before it was saved. Nothing is said. Seen with peft 0.21.2.
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
from transformers import BertConfig, BertModel

sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2)
ids = torch.arange(3, 12)[None]


def base():
    """The same each time."""
    torch.manual_seed(0)
    return BertModel(BertConfig(**sizes)).eval()


def config():
    """Lily on two places of each layer, at rank 4."""
    return peft.LilyConfig(r=4, target_modules=["query", "value"], stride_A=2)


print(f"peft {peft.__version__}, torch {torch.__version__}")
model = peft.get_peft_model(base(), config(), adapter_name="first")
model.add_adapter("second", config())
trains, off = {}, {}
for name in ("first", "second"):
    model.set_adapter(name)
    own = [parameter for parameter in model.parameters() if parameter.requires_grad]
    trains[name] = sum(parameter.numel() for parameter in own)
    optimizer = torch.optim.SGD(own, lr=1.0)
    for _ in range(5):
        optimizer.zero_grad()
        model(input_ids=ids).last_hidden_state[..., 0].mean().backward()
        optimizer.step()
model.save_pretrained(sys.argv[1])
for name, number in trains.items():
    model.set_adapter(name)
    right = model(input_ids=ids).last_hidden_state
    loaded = peft.PeftModel.from_pretrained(base(), f"{sys.argv[1]}/{name}").eval()
    change = (right - base()(input_ids=ids).last_hidden_state).norm()
    off[name] = ((loaded(input_ids=ids).last_hidden_state - right).norm() / change).item()
    print(f"{name}: trains {number} parameters; loaded alone it is off by {off[name]:.3f} of what it changes")
sys.exit(0 if trains["second"] > trains["first"] and off["first"] < 1e-3 and off["second"] > 0.01 else 1)
PYTHON
