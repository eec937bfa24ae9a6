"""The part of ``peers.py`` that runs in the environment of `adapters`: prints nanoseconds as JSON.

    python tests/benchmarks/adapters_side.py MODEL_FOLDER LATENCY_SECONDS TRAINING_SECONDS

The same inputs, methods and interleaving as there. Needs torch, transformers and `adapters`, nothing of ours.
"""

import gc
import json
import logging
import random
import sys
import time

import adapters
import torch
from adapters import DoubleSeqBnConfig, LoRAConfig, PrefixTuningConfig, PromptTuningConfig, SeqBnConfig
from transformers import AutoModelForSequenceClassification

LENGTHS = (16, 128)
CONFIGS = {
    "lora": lambda: LoRAConfig(r=8, alpha=16),
    "houlsby": lambda: DoubleSeqBnConfig(reduction_factor=6),  # 384 / 6 = 64
    "pfeiffer": lambda: SeqBnConfig(reduction_factor=6),
    "prefix-20": lambda: PrefixTuningConfig(prefix_length=20, flat=True),
    "prompt-20": lambda: PromptTuningConfig(prompt_length=20),
}


def settle(model):
    """Weights in memory of torch's own allocator, as on the other side."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()
    return model


def fresh(folder):
    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


def contenders(folder, train):
    found = {"base": fresh(folder), "base again": fresh(folder)}
    for name, config in CONFIGS.items():
        model = fresh(folder)
        adapters.init(model)
        model.add_adapter("task", config=config())
        if train:
            model.train_adapter("task")
        model.set_active_adapters("task")
        found[name] = model
    if not train:
        model = fresh(folder)
        adapters.init(model)
        model.add_adapter("task", config=CONFIGS["lora"]())
        model.merge_adapter("task")
        found["lora, merged"] = model
    return {name: settle(model) for name, model in found.items()}


def rounds(calls, seconds):
    """Nanoseconds per contender; one call of each per round, in random order."""
    order, times = list(calls), {name: [] for name in calls}
    shuffle = random.Random(0)
    for _ in range(5):
        for name in order:
            calls[name]()
    gc.collect()
    gc.disable()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        shuffle.shuffle(order)
        for name in order:
            start = time.perf_counter_ns()
            calls[name]()
            times[name].append(time.perf_counter_ns() - start)
    gc.enable()
    return times


def latency(folder, length, seconds):
    ids = torch.randint(1000, 20000, (1, length), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    models = contenders(folder, train=False)
    with torch.inference_mode():
        return rounds(
            {name: (lambda model=model: model(**inputs)) for name, model in models.items()}, seconds
        )


def training(folder, seconds):
    ids = torch.randint(1000, 20000, (32, 32), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(32) % 2}
    calls = {}
    for name, model in contenders(folder, train=True).items():
        trained = [p for p in model.train().parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01)

        def step(model=model, trained=trained, optimiser=optimiser):
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

        calls[name] = step
    return rounds(calls, seconds)


def main():
    logging.disable(logging.WARNING)
    folder, latency_seconds, training_seconds = sys.argv[1], *map(float, sys.argv[2:])
    found = {}
    if latency_seconds:
        found = {f"latency {length}": latency(folder, length, latency_seconds) for length in LENGTHS}
    if training_seconds:
        found["training"] = training(folder, training_seconds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
