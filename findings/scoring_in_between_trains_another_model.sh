#!/usr/bin/env bash
# Expected: a Trainer of transformers that scores a held-out split every two steps trains the model that it trains without:
# scoring has no gradient, no dropout and no shuffling, and everything is seeded.
# True: whoever begins to go through a torch DataLoader takes a number from the global generator, for workers that are not
# there and for an order that is not drawn. The generator's next draw is another one then, and with it dropout after the
# first scoring: other weights from the next step on. Without dropout nothing moves. So how often is scored is a setting of
# a training, and two methods that are scored at other steps have other noise. A generator given to the loader that scores
# keeps the two apart. Seen with transformers 5.23.0 and torch 2.13.0.
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
from torch.utils.data import DataLoader

print(f"transformers {transformers.__version__}, torch {torch.__version__}")
draws = torch.Generator().manual_seed(0)
ids = torch.randint(5, 100, (64, 8), generator=draws)
rows = [{"input_ids": row, "labels": torch.tensor(number % 2)} for number, row in enumerate(ids)]


def trained(dropout: float, **scoring: object) -> torch.Tensor:
    """All weights after six steps."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    model = transformers.BertForSequenceClassification(config)
    asked = transformers.TrainingArguments(
        sys.argv[1],
        max_steps=6,
        seed=0,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        **scoring,
    )
    transformers.Trainer(model, asked, train_dataset=rows, eval_dataset=rows).train()
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


same = {}
for dropout in (0.0, 0.1):
    alone, again = trained(dropout), trained(dropout)
    scored = trained(dropout, eval_strategy="steps", eval_steps=2)
    same[dropout] = torch.equal(alone, again), torch.equal(alone, scored)
    print(f"dropout {dropout}: the same weights when run again {same[dropout][0]}, when scored every 2 steps {same[dropout][1]}")

taken = {}
for name, own in (("the global one", None), ("its own", torch.Generator())):
    before = torch.get_rng_state()
    iter(DataLoader(rows, shuffle=False, num_workers=0, generator=own))
    taken[name] = not torch.equal(before, torch.get_rng_state())
    print(f"a loader with {name} as generator moves the global one: {taken[name]}")
expected = {0.0: (True, True), 0.1: (True, False)}
sys.exit(0 if same == expected and taken == {"the global one": True, "its own": False} else 1)
PYTHON
