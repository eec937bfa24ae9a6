#!/usr/bin/env bash
# Expected: AdaLoRA (arXiv 2303.10512) as peft makes it, trained by transformers' Trainer for as many steps as its total_step says,
# begins at init_r ranks a layer and ends at target_r on average, as tinit, tfinal and deltaT tell.
# True: nothing in the Trainer calls what takes ranks away, update_and_allocate; peft's guide says that one has to. The schedule is
# read, checked and never followed: after the last step every layer has init_r ranks, a half more than target_r by default, and what is
# compared as AdaLoRA is a LoRA in another form with a penalty. A callback that calls it between the backward pass
# and the optimiser's step makes it prune. Nothing is said at run time. Seen with peft 0.21.2 and transformers 5.23.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0
"$folder/venv/bin/pip" install -q peft==0.21.2 transformers==5.23.0 accelerate==1.15.0
"$folder/venv/bin/python" -W ignore - "$folder/out" <<'PYTHON'
import sys

import peft
import torch
import transformers

transformers.logging.set_verbosity_error()
print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
STEPS = 30
draws = torch.Generator().manual_seed(0)
ids = torch.randint(5, 50, (64, 6), generator=draws)
rows = [{"input_ids": row, "labels": number % 2} for number, row in enumerate(ids)]


class Pruning(transformers.TrainerCallback):
    """Calls what peft's guide says has to be called."""

    def on_optimizer_step(self, args, state, control, model=None, **kwargs):
        """After the backward pass; gradients are still there."""
        model.base_model.update_and_allocate(state.global_step)


def ranks(*callbacks: transformers.TrainerCallback) -> float:
    """Ranks of a layer that are not masked to zero after training, on average."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    method = peft.AdaLoraConfig(
        task_type="SEQ_CLS", init_r=12, target_r=4, tinit=5, tfinal=5, deltaT=1, total_step=STEPS
    )
    model = peft.get_peft_model(transformers.BertForSequenceClassification(config), method)
    asked = transformers.TrainingArguments(
        sys.argv[1],
        max_steps=STEPS,
        learning_rate=1e-2,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(model, asked, train_dataset=rows, callbacks=list(callbacks))
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    kept = [(weight != 0).sum().item() for name, weight in model.named_parameters() if "lora_E" in name]
    return sum(kept) / len(kept)


alone, called = ranks(), ranks(Pruning())
print(f"init_r 12, target_r 4, {STEPS} steps: {alone:g} ranks a layer are left by the Trainer, {called:g} with the call")
sys.exit(0 if alone == 12 and called < 6 else 1)
PYTHON
