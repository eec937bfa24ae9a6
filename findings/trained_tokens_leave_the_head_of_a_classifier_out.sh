#!/usr/bin/env bash
# Expected: peft's TrainableTokensConfig with task_type="SEQ_CLS", which trains a few embeddings (new words, say), trains the fresh
# head of the classifier with them and saves it, as every other method does under that task type.
# True: nothing but the embeddings trains and is saved. The head stays as it was drawn, so that training is of an answer at
# random, and who loads the folder draws another head. Nothing is said, and the configuration has no modules_to_save by which
# to ask for it; a LoRA with trainable_token_indices trains both. Seen with peft 0.21.2 and transformers 5.23.0.
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
from peft import LoraConfig, PeftModel, TrainableTokensConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification

sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
ids = torch.arange(3, 12)[None]
kinds = {
    "tokens": TrainableTokensConfig(task_type="SEQ_CLS", target_modules=["word_embeddings"], token_indices=[3, 4]),
    "LoRA and tokens": LoraConfig(
        task_type="SEQ_CLS", target_modules=["query"], trainable_token_indices={"word_embeddings": [3, 4]}
    ),
}


def base():
    """A pretrained body, the same each time, under a fresh head, another each time."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**sizes))
    torch.seed()
    torch.nn.init.normal_(model.classifier.weight)
    return model


print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
as_said = True
for name, config in kinds.items():
    model = get_peft_model(base(), config).eval()
    trains = [where for where, parameter in model.named_parameters() if parameter.requires_grad]
    head = sum("classifier" in where for where in trains)
    model.save_pretrained(f"{sys.argv[1]}/{name}")
    loaded = PeftModel.from_pretrained(base(), f"{sys.argv[1]}/{name}").eval()
    same = torch.allclose(loaded(input_ids=ids).logits, model(input_ids=ids).logits)
    print(f"{name}: {head} of {len(trains)} tensors that train are of the head; loaded it answers {'alike' if same else 'otherwise'}")
    as_said &= (head == 0, same) == ((True, False) if name == "tokens" else (False, True))
sys.exit(0 if as_said else 1)
PYTHON
