#!/usr/bin/env bash
# Expected: no_repeat_ngram_size=3 keeps generate() of transformers from writing the same three tokens in a row twice, and
# repetition_penalty from writing a token again and again, as the papers do that write texts from tables with beams (3 or 4).
# True: for a decoder the prompt counts as written: three tokens of the prompt in a row can be written not even once, so a model that
# has to say the names that its input gives it, as in E2E, may not finish them; an encoder-decoder may. The same prompt
# given as inputs_embeds, as soft prompts are, does not count, so that one setting is two rules for two methods.
# Only then there is a warning. Seen with transformers 5.23.0.
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

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, tie_word_embeddings=False, **ids)
torch.manual_seed(0)
model = transformers.GPT2LMHeadModel(config).eval()
with torch.no_grad():  # one that counts: behind every token it writes the next
    for weight in [*model.transformer.h.parameters(), model.transformer.wpe.weight]:
        weight.zero_()
    model.lm_head.weight.copy_(torch.roll(model.transformer.wte.weight, 1, dims=0))

prompt = torch.tensor([[20, 21, 22, 23, 24, 7, 20, 21]])
found = {}
for name, options in (
    ("nothing", {}),
    ("no_repeat_ngram_size=3", {"no_repeat_ngram_size": 3}),
    ("repetition_penalty=2.0", {"repetition_penalty": 2.0}),
):
    asked = {"max_new_tokens": 4, "do_sample": False, **options}
    with torch.no_grad():
        tokens = model.generate(prompt, **asked)[0, prompt.shape[1] :].tolist()
        embedded = model.generate(inputs_embeds=model.transformer.wte(prompt), **asked)[0].tolist()
    found[name] = tokens, embedded
    print(f"{name}: after {prompt[0].tolist()} it writes {tokens}, with the prompt as embeddings {embedded}")
counted = [22, 23, 24, 25]
free, forbidden, dearer = found.values()
held = free == (counted, counted) and forbidden[1] == dearer[1] == counted
sys.exit(0 if held and forbidden[0] != counted and dearer[0] != counted else 1)
PYTHON
