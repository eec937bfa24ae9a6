#!/usr/bin/env bash
# Expected: where one row of a batch ends before the others, generate() fills it up with pad_token_id, by beams as greedily.
# True: beam search fills up with eos_token_id where pad_token_id is 0 (it is taken for none), as it is in T5 and Llama-type
# tokenizers, and greedy search with 0. Tokens that are not padding, counted per row, are too many; and a text that ended
# looks as if it went on with ends. With another pad_token_id both fill up with that.
# Seen with transformers 5.23.0, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --target "$folder" transformers==5.23.0 torch==2.13.0
cat >"$folder/beams.py" <<'PYTHON'
import torch
import transformers
from transformers import T5Config, T5ForConditionalGeneration

transformers.logging.set_verbosity_error()


def made(padding, beams):
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    model = T5ForConditionalGeneration(T5Config(**sizes, pad_token_id=padding, decoder_start_token_id=0)).eval()

    def ends(module, args, logits):
        """Of the first row the end is all that is likely, of the second row token 7."""
        logits = torch.zeros_like(logits)
        half = len(logits) // 2
        logits[:half, :, 1], logits[half:, :, 7] = 50, 50
        return logits

    model.lm_head.register_forward_hook(ends)
    ids = torch.tensor([[5, 6, 1], [8, 9, 1]])
    settings = {"max_new_tokens": 4, "num_beams": beams, "do_sample": False, "eos_token_id": 1}
    return model.generate(ids, attention_mask=torch.ones_like(ids), **settings)[0, 1:].tolist()


print("transformers", transformers.__version__, "torch", torch.__version__)
for padding in (0, 3):
    greedy, beams = made(padding, 1), made(padding, 2)
    print(f"pad_token_id {padding}: greedily {greedy}, by two beams {beams}")
    assert greedy == [1, padding, padding, padding]
    assert beams == [1, *[padding or 1] * 3]
PYTHON
cd "$folder"
PYTHONPATH="$folder" python3 beams.py
