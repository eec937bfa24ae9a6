#!/usr/bin/env bash
# Expected: AutoTokenizer.from_pretrained raises for a folder that holds a model and no file of a tokenizer.
# True: it builds the class that belongs to the model type, with an empty vocabulary. Every text becomes the same few
# special tokens, for a Qwen3 no token at all, without an error or a warning, and a model trains on that.
# Seen with transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import tempfile
import warnings

import transformers
from transformers import AutoConfig, AutoModel, AutoTokenizer

print("transformers", transformers.__version__)
sizes = {"vocab_size": 99, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
empty = []
for kind in ("roberta", "gemma3_text", "qwen3"):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        AutoModel.from_config(AutoConfig.for_model(kind, **sizes)).save_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts = tokenizer(["a fine film", "of no interest to anyone"])["input_ids"]
        print(f"{kind}: a {type(tokenizer).__name__} of {len(tokenizer)} words reads two texts as {texts}; {len(said)} warnings")
        empty.append(texts[0] == texts[1])
sys.exit(0 if all(empty) else 1)
PYTHON
