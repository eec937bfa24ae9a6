"""Time one pass over real sentences: Paretune's loop beside the Trainer of transformers with peft.

Both train LoRA (rank 8 on query and value, learning rate 1e-3) from the same weights on the same sentences
with batches of 32 grouped by length; loading, tokenizing and evaluation are outside the clock. Runs
alternate, and what is printed is the ratio of each pair, with the smallest and largest seen.

    python tests/benchmarks/training_step.py [--sentences 2400] [--pairs 3] [--random]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings

import datasets
import torch
from peft import LoraConfig, get_peft_model
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments
from transformers.utils import logging

import methods
import tasks
from runners import device, models
from runners.plan.spec import Protocol
from runners.trials import batches, loop
from runners.trials.scoring import Score

MODEL, TASK = "embedded", "rotten_tomatoes"


def paretune(rows: batches.Encoded) -> float:
    """Seconds of Paretune's loop."""
    device.seed_everything(0)
    accelerator = device.accelerator()
    adapted = methods.apply(models.classifier(MODEL, tasks.get(TASK)), "lora", rank=8)
    steps = len(rows) // 32
    protocol = Protocol(steps=steps, learning_rate=1e-3)
    score: Score = {"accuracy": 0.0}
    fitted = loop.fit(
        accelerator,
        adapted.model,
        adapted.trained(),
        lambda done: batches.training_loader(rows, models.tokenizer(MODEL), 32, steps, 0, done),
        steps,
        protocol,
        evaluate_at=[steps],
        evaluate=lambda: score,
        main_metric=lambda _: 0.0,
        watch=lambda _: None,
    )
    return fitted.to_record().seconds


def trainer(rows: batches.Encoded, grouped: bool) -> float:
    """Seconds of the Trainer with peft."""
    device.seed_everything(0)
    model = models.classifier(MODEL, tasks.get(TASK))
    config = LoraConfig(r=8, lora_alpha=16, target_modules=["query", "value"], task_type="SEQ_CLS")
    adapted = get_peft_model(model, config)
    dataset = datasets.Dataset.from_list([{**row, "length": len(row["input_ids"])} for row in rows])
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=32,
            max_steps=len(rows) // 32,
            learning_rate=1e-3,
            train_sampling_strategy="group_by_length" if grouped else "random",
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
        )
        collator = DataCollatorWithPadding(models.tokenizer(MODEL))
        run = Trainer(adapted, arguments, train_dataset=dataset, data_collator=collator)
        started = time.perf_counter()
        run.train()
        return time.perf_counter() - started


def main() -> None:
    """Alternate the two and print the ratios."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sentences", type=int, default=2400)
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--random", action="store_true", help="also time the Trainer with random batches")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    encoded = batches.encode(MODEL, TASK, None, "train", max_length=128)
    rows = encoded.part(range(min(chosen.sentences, len(encoded))))
    ratios = []
    for pair in range(chosen.pairs):
        first = paretune(rows) if pair % 2 == 0 else None
        peer = trainer(rows, grouped=True)
        ours = first if first is not None else paretune(rows)
        ratios.append(ours / peer)
        print(f"pair {pair + 1}: Paretune {ours:.1f} s, Trainer + peft {peer:.1f} s, ratio {ratios[-1]:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")
    if chosen.random:
        print(f"Trainer + peft, random batches: {trainer(rows, grouped=False):.1f} s")


if __name__ == "__main__":
    main()
