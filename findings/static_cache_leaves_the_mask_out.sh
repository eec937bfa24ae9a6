#!/usr/bin/env bash
# Expected: an attention function that transformers calls with more keys than queries and no mask gets the keys of a
# filled cache in front of the new ones, so "no mask" means causal from the lower right corner.
# True: while generate() fills a static cache, the function gets all places of the cache as keys, the empty ones
# behind the new ones, and no mask: causal is meant from the upper left corner, and whoever writes an attention function
# has to cut the keys to the queries. Seen with transformers 5.23.0; older versions were not tried. With a dynamic cache
# the two readings are the same, so nothing shows until a static one is used: then logits are wrong without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers
from transformers import AttentionInterface, AttentionMaskInterface, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

seen = []


def spy(module, query, key, value, attention_mask, **kwargs):
    if query.shape[2] > 1:
        seen.append((query.shape[2], key.shape[2], attention_mask is None))
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


AttentionInterface.register("spy", spy)
AttentionMaskInterface.register("spy", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
torch.manual_seed(0)
sizes = dict(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
model = LlamaForCausalLM(LlamaConfig(**sizes, eos_token_id=None)).eval()
model.set_attn_implementation("spy")
ids = torch.arange(3, 12)[None]
model.generate(ids, max_new_tokens=4, do_sample=False, pad_token_id=0, cache_implementation="static")
print(f"transformers {transformers.__version__}, torch {torch.__version__}")
for queries, keys, without in seen:
    print(f"first pass: {queries} queries, {keys} keys, {'no mask' if without else 'a mask'}")
sys.exit(0 if any(keys > queries and without for queries, keys, without in seen) else 1)
PYTHON
