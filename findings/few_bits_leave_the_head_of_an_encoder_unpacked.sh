#!/usr/bin/env bash
# Expected: a classifier made from a pretrained body in 4 or 8 bits answers; its head, which no checkpoint holds, is whole.
# True: it is whole on GPT-2 and Llama, whose head is called "score". BERT's and RoBERTa's "classifier" becomes a layer of
# bitsandbytes, and since layers are packed as their weights arrive and for a fresh head none does, it keeps a plain float
# weight. Loading succeeds and says only that the head is newly initialised; the first pass raises, in 4 bits with the
# advice to call .cuda(), in 8 bits over an attribute that is not there. llm_int8_skip_modules=["classifier"] cures it; so
# has every other layer to be named that the checkpoint lacks, such as the pooler of a BERT trained on masked words alone.
# Seen on a CPU with transformers 5.23.0 and bitsandbytes 0.50.2; older versions were not tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 bitsandbytes==0.50.2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import bitsandbytes
import torch
import transformers
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, BitsAndBytesConfig

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
sizes = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
kinds = {
    "bert": (sizes, ["classifier"]),
    "roberta": (sizes, ["classifier"]),
    "gpt2": (dict(n_embd=64, n_layer=2, n_head=2), []),
    "llama": (sizes, []),
}
bits = {"4 bits": dict(load_in_4bit=True, bnb_4bit_quant_type="nf4"), "8 bits": dict(load_in_8bit=True)}


def answer(path, **quantised):
    """What a first pass does: the shape of the logits, or the error's name."""
    config = BitsAndBytesConfig(**quantised)
    model = AutoModelForSequenceClassification.from_pretrained(
        path, quantization_config=config, device_map={"": "cpu"}
    )
    head = [m for name, m in model.named_modules() if name.startswith(("classifier", "score"))]
    layers = sorted({type(m).__name__ for m in head if isinstance(m, torch.nn.Linear)})
    try:
        return layers, list(model(input_ids=torch.arange(5, 17)[None]).logits.shape)
    except Exception as error:
        return layers, type(error).__name__


print(f"transformers {transformers.__version__}, bitsandbytes {bitsandbytes.__version__}")
seen = {}
for kind, (own, head) in kinds.items():
    path = f"{sys.argv[1]}/{kind}"
    config = AutoConfig.for_model(kind, vocab_size=90, pad_token_id=0, **own)
    AutoModel.from_config(config).save_pretrained(path)
    for name, asked in bits.items():
        seen[kind, name] = answer(path, **asked)
        print(f"{kind} in {name}: the head is {seen[kind, name][0]}, and it gives {seen[kind, name][1]}")
        if head:
            cured = answer(path, **asked, llm_int8_skip_modules=head)
            print(f"  with its head named as one to skip: {cured[0]}, {cured[1]}")
            seen[kind, name, "cured"] = cured
whole = (["Linear"], [1, 2])
as_told = all(
    seen[kind, name] == (whole if not head else ([layer], error))
    for kind, (_, head) in kinds.items()
    for name, layer, error in (
        ("4 bits", "Linear4bit", "AssertionError"),
        ("8 bits", "Linear8bitLt", "AttributeError"),
    )
)
cured = all(found == whole for key, found in seen.items() if key[-1] == "cured")
sys.exit(0 if as_told and cured else 1)
PYTHON
