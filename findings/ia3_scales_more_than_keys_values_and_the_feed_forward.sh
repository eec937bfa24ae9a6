#!/usr/bin/env bash
# Expected: IA3 (arXiv 2205.05638) as peft applies it where no modules are named has the paper's three vectors a block: of the
# keys, of the values, and of the feed-forward's hidden units.
# True: on BERT there are four, since "output.dense" is also the name of the attention's own output, whose input is scaled as
# well. On GPT-2 the keys and values come from one layer with the queries, so that these are scaled too. Both train three
# vectors of the model's width beside the hidden units, where the paper has two. Seen with peft 0.21.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import peft
import transformers
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

print(f"peft {peft.__version__}, transformers {transformers.__version__}")
bert = BertModel(
    BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48)
)
gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=1, n_head=2, n_inner=48))


def vectors(model) -> dict[str, int]:
    model = peft.get_peft_model(model, peft.IA3Config())
    found = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    return {name.removeprefix("base_model.model.").partition(".ia3_l")[0]: count for name, count in found.items()}


WIDTH, HIDDEN = 32, 48
of_bert, of_gpt2 = vectors(bert), vectors(gpt2)
print(f"BERT, width {WIDTH}, {HIDDEN} hidden units: {of_bert}")
print(f"GPT-2, the same: {of_gpt2}")
print(f"in the paper: {2 * WIDTH + HIDDEN}; on BERT {sum(of_bert.values())}, on GPT-2 {sum(of_gpt2.values())}")
as_seen = list(of_bert.values()) == [WIDTH, WIDTH, WIDTH, HIDDEN] and "attention.output" in list(of_bert)[2]
sys.exit(0 if as_seen and list(of_gpt2.values()) == [3 * WIDTH, HIDDEN] else 1)
PYTHON
