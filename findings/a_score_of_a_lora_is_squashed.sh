#!/usr/bin/env bash
# Expected: pipeline("text-classification") gives the scores of a model that regresses (num_labels=1, as on STS-B) as they are, for a
# model that was trained whole and for the same base with a LoRA.
# True: what is regression stands in the configuration as problem_type, which the first pass with labels writes there. A model saved
# whole takes that along; a folder of peft holds no configuration of the model, so the loaded one has none, and the pipeline takes a
# single output without it for a probability: a similarity of 3.0 becomes 0.95, and nearly all pairs of 3 to 5 become one
# number. The order stays, Pearson's correlation does not, and nothing is said. problem_type="regression", given when the
# base is loaded, cures it. Seen with peft 0.21.2 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0 accelerate==1.15.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import peft
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
folder = Path(sys.argv[1])
words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "a", "cat", "sat", "ran"])}
split = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
split.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=split, pad_token="[PAD]", unk_token="[UNK]")
torch.manual_seed(0)
config = transformers.BertConfig(
    vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1
)
base = transformers.BertForSequenceClassification(config)
base.classifier.bias.data.fill_(3.0)
base.save_pretrained(folder / "base")
batch = tokenizer(["a cat sat", "a cat ran"], return_tensors="pt")


def loaded(**options: str) -> transformers.PreTrainedModel:
    """The base, which has never seen labels."""
    return transformers.AutoModelForSequenceClassification.from_pretrained(folder / "base", **options)


def answered(model: torch.nn.Module) -> float:
    """What a pipeline says of a text."""
    made = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    return made("a cat sat")[0]["score"]


whole = loaded()
lora = peft.get_peft_model(loaded(), peft.LoraConfig(task_type="SEQ_CLS"))
for model in (whole, lora):
    model(**batch, labels=torch.tensor([3.0, 2.0])).loss.backward()
print(f"before they are saved: whole {answered(whole):.3f}, LoRA {answered(lora):.3f}")
whole.save_pretrained(folder / "whole")
lora.save_pretrained(folder / "lora")
again = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "whole")
other = peft.PeftModel.from_pretrained(loaded(), folder / "lora")
told = peft.PeftModel.from_pretrained(loaded(problem_type="regression"), folder / "lora")
logit = other.eval()(**batch).logits[0].item()
found = {"whole": answered(again), "LoRA": answered(other), 'LoRA with problem_type="regression"': answered(told)}
for name, score in found.items():
    print(f"saved and loaded again, {name}: {score:.3f}")
print(f"the LoRA's own output is {logit:.3f}, its sigmoid {torch.tensor(logit).sigmoid().item():.3f}")
one, two, three = found.values()
same = max(abs(one - logit), abs(three - logit), abs(two - torch.tensor(logit).sigmoid().item()))
sys.exit(0 if same < 1e-4 and logit > 2 else 1)
PYTHON
