#!/usr/bin/env bash
# Expected: a classifier of BERT or RoBERTa under peft's prompt tuning answers from the token that it was pretrained to answer from,
# [CLS] or <s>: a prompt stands in front of the text, and what it is read by stays.
# True: the prompt goes in front of that token too, the head goes on reading the first place, and there stands the first trained vector
# of the prompt. [CLS] moves to place n and is a word among others. So the head reads a place that pretraining never
# saw, and what is called prompt tuning of an encoder is for a part the training of a new pooling token. P-tuning goes the same way;
# LoRA and prefix tuning keep the place. Seen with peft 0.21.2 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0 accelerate==1.15.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import peft
import torch
import transformers

transformers.logging.set_verbosity_error()
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
sizes |= {"vocab_size": 50, "num_labels": 2, "pad_token_id": 0}
ids = torch.tensor([[2, 7, 8, 9]])  # the first stands for [CLS]


def place(config: transformers.PretrainedConfig, method: peft.PeftConfig) -> tuple[int, int]:
    """The places that a classifier computes, and the one that its head reads."""
    torch.manual_seed(0)
    model = peft.get_peft_model(transformers.AutoModelForSequenceClassification.from_config(config), method).eval()
    whole, seen = model.get_base_model(), {}
    body = getattr(whole, whole.base_model_prefix)
    reader = body.pooler.dense if getattr(body, "pooler", None) is not None else whole.classifier.dense
    body.encoder.register_forward_hook(lambda module, args, out: seen.update(states=out[0][0]))
    reader.register_forward_pre_hook(lambda module, args: seen.update(read=args[0][0]))
    with torch.no_grad():
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    same = [number for number, state in enumerate(seen["states"]) if torch.equal(state, seen["read"])]
    return len(seen["states"]), same[0]


kind, found = {"task_type": "SEQ_CLS"}, {}
for name, config in (("BERT", transformers.BertConfig(**sizes)), ("RoBERTa", transformers.RobertaConfig(**sizes))):
    for method in (
        peft.PromptTuningConfig(num_virtual_tokens=5, **kind),
        peft.PromptEncoderConfig(num_virtual_tokens=5, encoder_hidden_size=16, **kind),
        peft.PrefixTuningConfig(num_virtual_tokens=5, **kind),
        peft.LoraConfig(**kind),
    ):
        places, read = found[name, method.peft_type.value] = place(config, method)
        first = places - ids.shape[1]
        print(f"{name}, {method.peft_type.value}: {places} places, [CLS] in place {first}, the head reads place {read}")
expected = {"PROMPT_TUNING": (9, 0), "P_TUNING": (9, 0), "PREFIX_TUNING": (4, 0), "LORA": (4, 0)}
sys.exit(0 if all(told == expected[method] for (_, method), told in found.items()) else 1)
PYTHON
