#!/usr/bin/env bash
# Expected: gradient checkpointing, which a Trainer turns on in the model that peft made, changes memory and time of prefix tuning and
# not what is trained; where it cannot work, an error says so, as peft's does for a model that checkpoints already.
# True: BERT goes on without the prefix. transformers takes it for a cache, drops it in each checkpointed layer with a line on
# caching, and the text is read without it. The prefix gets no gradient, so that the head alone trains, in what is called
# prefix tuning; in eval mode the prefix is there again, as it was drawn, under a head that never saw it. Decoders
# end in an error on shapes. Prompt tuning and LoRA train on. Seen with peft 0.21.2 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import peft
import torch
import transformers
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification

transformers.logging.set_verbosity_error()
sizes = dict(vocab_size=60, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
ids, labels = torch.arange(3, 12)[None], torch.tensor([1])
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
trained, moves = {}, {}
for name, config in {
    "LoRA": LoraConfig(task_type="SEQ_CLS", target_modules=["query"], init_lora_weights=False),
    "prompt tuning": PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3),
    "prefix tuning": PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3),
}.items():
    torch.manual_seed(0)
    base = BertForSequenceClassification(
        BertConfig(**sizes, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    )
    model = get_peft_model(base, config).train()
    added = [
        one for where, one in model.named_parameters() if one.requires_grad and "classifier" not in where
    ]
    for checkpointed in (False, True):
        if checkpointed:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        losses = []
        for scale in (0.5, 2.0):  # of what was added: another one is another loss, where it is read
            for parameter in added:
                torch.manual_seed(1)
                torch.nn.init.normal_(parameter.data, std=scale)
            losses.append(model(input_ids=ids, labels=labels).loss)
        losses[-1].backward()
        trained[name, checkpointed] = any(one.grad is not None and one.grad.any() for one in added)
        moves[name, checkpointed] = not torch.equal(*losses)
        print(
            f"{name}, {'with' if checkpointed else 'without'} checkpointing: "
            f"{'trains' if trained[name, checkpointed] else 'gets no gradient'}, "
            f"{'moves the loss' if moves[name, checkpointed] else 'does not move the loss'}"
        )
left_out = [key for key, does in trained.items() if not does]
as_said = left_out == [("prefix tuning", True)] == [key for key, does in moves.items() if not does]
sys.exit(0 if as_said else 1)
PYTHON
