#!/usr/bin/env bash
# Expected: a Trainer of transformers that accumulates four batches of two makes the step of one batch of eight, and reports
# its loss; what accumulation is for is to train alike on less memory.
# True: so it is for language models, whose loss is told how many tokens the step has. Heads that classify or regress (BERT,
# RoBERTa, GPT-2, DistilBERT) take that number too, and do nothing with it, while the Trainer, since they take it, no longer divides
# by the number of batches: the reported loss and the gradient are four times too large. With Adam the step hardly shows
# it, but the norm that gradients are clipped at (1 by default) is a quarter of what was asked for, and with SGD so is the
# rate that it would take. model.accepts_loss_kwargs = False makes both steps one.
# Seen with transformers 5.23.0; issue 47688 of transformers tells it of other heads, seen with 5.15.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q transformers==5.23.0 accelerate==1.15.0
"$folder/venv/bin/python" - "$folder/out" <<'PYTHON'
import sys

import torch
import transformers

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
draws = torch.Generator().manual_seed(0)
ids = torch.randint(5, 100, (8, 6), generator=draws)


def first_step(config: transformers.PretrainedConfig, kind: type, batches: int, aware: bool | None) -> tuple[float, float]:
    """The loss and the norm of the gradient that the Trainer reports of one step on all eight rows."""
    torch.manual_seed(0)
    model = kind.from_config(config)
    if aware is not None:
        model.accepts_loss_kwargs = aware
    if kind is transformers.AutoModelForCausalLM:
        rows = [{"input_ids": row, "labels": row} for row in ids]
    elif config.num_labels == 1:
        rows = [{"input_ids": row, "labels": 3.0 * (number % 2)} for number, row in enumerate(ids)]
    else:
        rows = [{"input_ids": row, "labels": number % 2} for number, row in enumerate(ids)]
    asked = transformers.TrainingArguments(
        sys.argv[1],
        per_device_train_batch_size=8 // batches,
        gradient_accumulation_steps=batches,
        max_steps=1,
        logging_steps=1,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(model, asked, train_dataset=rows)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return trainer.state.log_history[0]["loss"], trainer.state.log_history[0]["grad_norm"]


def small(kind: type, labels: int) -> transformers.PretrainedConfig:
    """A configuration without dropout."""
    if kind is transformers.GPT2Config:
        sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    elif kind is transformers.DistilBertConfig:
        sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}
        sizes |= {"dropout": 0, "attention_dropout": 0, "seq_classif_dropout": 0}
    else:
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        sizes |= {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
    return kind(vocab_size=100, pad_token_id=0, num_labels=labels, **sizes)


heads, words = transformers.AutoModelForSequenceClassification, transformers.AutoModelForCausalLM
cases = [("GPT-2, next word", small(transformers.GPT2Config, 2), words, None, 1)]
for name in ("Bert", "Roberta", "GPT2", "DistilBert"):
    for labels, what in ((2, "two classes"), (1, "regression")):
        cases.append((f"{name}, {what}", small(getattr(transformers, f"{name}Config"), labels), heads, None, 4))
told = "Bert, two classes, accepts_loss_kwargs = False"
cases.append((told, small(transformers.BertConfig, 2), heads, False, 1))

held = True
for name, config, kind, aware, factor in cases:
    whole, apart = first_step(config, kind, 1, aware), first_step(config, kind, 4, aware)
    loss, norm = apart[0] / whole[0], apart[1] / whole[1]
    print(f"{name}: four batches of two have {loss:.3f} times the loss and {norm:.3f} times the gradient of one of eight")
    held &= abs(loss - factor) < 0.01 and abs(norm - factor) < 0.01
sys.exit(0 if held else 1)
PYTHON
