"""Time LoRA on a causal model that writes: Paretune's loop beside transformers' Trainer with peft.

Both train the same LoRA (rank 8 on query and value) from the same values on the same rows of E2E, with the
loss on the targets alone; loading and tokenizing are outside the clock. The Trainer has a collator that masks
prompts and batches grouped by length, its fastest honest setting; it also runs on the very batches of
Paretune with the same optimiser and schedule, for the loss of every step. Runs alternate, and what is printed
is the ratio of seconds for a token: by the clock, and of processor time, which a busy machine leaves alone.

    python tests/benchmarks/written_training.py --data E2E [--model FOLDER] [--rows 320] [--steps 4]
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import PeftModel
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments
from transformers.utils import logging
from written_rows import arguments, form, model, rows

import methods
from runners import device
from runners.optimisation import IGNORED, optimizer, warmed_up
from runners.plan.spec import Protocol
from runners.trials import loop
from runners.trials.batches import LengthGroupedBatches
from runners.trials.scoring import Score
from runners.writing import batches
from runners.writing.parts import PART_TOKENS
from runners.writing.targets import OnTargets
from runners.writing.tokens import Form, Prompted


@dataclass
class Run:
    """What one training took, and the loss of its steps."""

    seconds: float
    processor: float
    tokens: int
    losses: list[float] = field(default_factory=list)


@dataclass
class Setting:
    """What both sides train."""

    start: Any
    form: Form
    rows: Prompted
    size: int
    steps: int | None = None
    """Fewer than an epoch has, if that is enough."""

    @property
    def protocol(self) -> Protocol:
        """Of Paretune's side."""
        return Protocol(
            steps=self.steps or len(self.rows) // self.size, batch_size=self.size, learning_rate=1e-3
        )

    @property
    def order(self) -> LengthGroupedBatches:
        """The batches of Paretune."""
        return LengthGroupedBatches(self.rows.lengths, self.size, self.protocol.steps or 1, seed=0)

    def adapted(self) -> methods.Adapted:
        """The start with a LoRA in it, the same each time."""
        device.seed_everything(0)
        return methods.apply(copy.deepcopy(self.start), "lora", rank=8)


def paretune(setting: Setting) -> Run:
    """Paretune's loop."""
    adapted, protocol = setting.adapted(), setting.protocol
    steps = protocol.steps or 1
    score: Score = {"loss": 0.0}

    def loader(done: int) -> Any:
        order = LengthGroupedBatches(setting.rows.lengths, setting.size, steps, 0, done)
        everything: Any = range(len(setting.rows))
        return DataLoader(
            everything,
            batch_sampler=order,
            collate_fn=lambda which: batches.training(setting.rows, which, setting.form),
        )

    model = OnTargets(adapted.model, PART_TOKENS)
    began = time.process_time()
    fitted = loop.fit(
        device.accelerator(),
        model,
        adapted.trained(),
        loader,
        steps,
        protocol,
        evaluate_at=range(1, steps + 1),
        evaluate=lambda: score,
        main_metric=lambda _: 0.0,
        watch=lambda _: None,
        positions=model.positions,
    )
    processor = time.process_time() - began
    real = round(fitted.examples * fitted.mean_length * (1 - fitted.padding_share))
    losses = [point.train_loss or 0.0 for point in fitted.curve]
    return Run(fitted.to_record().seconds, processor, real, losses)


class CompletionOnly:
    """Pads rows to the longest of a batch and counts their tokens; prompts have no label."""

    def __init__(self, padding: int) -> None:
        self.padding, self.tokens = padding, 0

    def __call__(self, given: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows to tensors."""
        width = max(len(row["input_ids"]) for row in given)
        self.tokens += sum(len(row["input_ids"]) for row in given)

        def filled(name: str, fill: int) -> torch.Tensor:
            return torch.tensor([row[name] + [fill] * (width - len(row[name])) for row in given])

        return {
            "input_ids": filled("input_ids", self.padding),
            "attention_mask": filled("attention_mask", 0),
            "labels": filled("labels", IGNORED),
        }


class Recorded(Trainer):
    """The Trainer, which keeps the loss of every step; on given batches, if there are any."""

    given: LengthGroupedBatches | None = None

    def get_train_dataloader(self) -> Any:
        """Its own, or the given batches."""
        if self.given is None:
            return super().get_train_dataloader()
        return DataLoader(self.train_dataset, batch_sampler=self.given, collate_fn=self.data_collator)

    def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
        """Its own."""
        loss = super().training_step(*given, **named)
        self.losses.append(loss.detach())
        return loss


def trainer(setting: Setting, same: bool) -> Run:
    """The Trainer with peft."""
    adapted, protocol, told = setting.adapted(), setting.protocol, setting.rows.targets
    assert told is not None
    content = []
    for index in range(len(setting.rows)):
        prompt, target = setting.rows.prompts[index].tolist(), told[index].tolist()
        ids, labels = prompt + target, [IGNORED] * len(prompt) + target
        content.append(
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels, "length": len(ids)}
        )
    collator = CompletionOnly(setting.form.padding)
    with tempfile.TemporaryDirectory() as folder:
        adapted.export_peft(folder)
        beside = PeftModel.from_pretrained(copy.deepcopy(setting.start), folder, is_trainable=True)
        chosen = TrainingArguments(
            output_dir=str(Path(folder, "out")),
            per_device_train_batch_size=setting.size,
            max_steps=protocol.steps or 1,
            learning_rate=protocol.learning_rate or 0.0,
            weight_decay=protocol.weight_decay,
            train_sampling_strategy="group_by_length",
            remove_unused_columns=False,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
        )
        steps = protocol.steps or 1
        trained = {name: p for name, p in beside.named_parameters() if p.requires_grad}
        made = optimizer(trained, protocol.learning_rate or 0.0, protocol.weight_decay)
        schedule = warmed_up(made, round(protocol.warmup_share * steps), steps)
        run = Recorded(
            beside,
            chosen,
            train_dataset=datasets.Dataset.from_list(content),
            data_collator=collator,
            optimizers=(made, schedule) if same else (None, None),
        )
        run.losses, run.given = [], setting.order if same else None
        started, began = time.perf_counter(), time.process_time()
        run.train()
        seconds, processor = time.perf_counter() - started, time.process_time() - began
    return Run(seconds, processor, collator.tokens, [float(loss) for loss in run.losses])


def main() -> None:
    """Alternate them and print the ratios."""
    options = arguments(__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=320)
    options.add_argument("--size", type=int, default=16)
    options.add_argument("--steps", type=int, help="of each training; none = one epoch")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    how = form(chosen.model, 64)
    setting = Setting(
        model(chosen.model), how, rows(chosen.data, how, "train", chosen.rows), chosen.size, chosen.steps
    )
    contenders: dict[str, Callable[[], Run]] = {
        "Paretune": lambda: paretune(setting),
        "Trainer + peft": lambda: trainer(setting, same=False),
        "Trainer + peft, same batches": lambda: trainer(setting, same=True),
    }
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in list(contenders)[1:]}
    for pair in range(chosen.pairs):
        names = list(contenders)
        runs = {name: contenders[name]() for name in (names[::-1] if pair % 2 else names)}
        ours, same = runs["Paretune"], runs["Trainer + peft, same batches"]
        told = [
            f"{name} {runs[name].seconds:.1f} s, {runs[name].tokens / runs[name].seconds:.0f} tokens/s"
            for name in names
        ]
        print(f"pair {pair + 1}: {'; '.join(told)}")
        for name, found in ratios.items():
            share = runs[name].tokens / ours.tokens
            taken = ours.seconds / runs[name].seconds, ours.processor / runs[name].processor
            found.append((share * taken[0], share * taken[1]))
        apart = max(abs(one - other) for one, other in zip(ours.losses, same.losses, strict=True))
        fell = f"from {ours.losses[0]:.4f} to {ours.losses[-1]:.4f}"
        print(f"  loss {fell}, on the same batches at most {apart:.1e} apart", flush=True)
    for name, found in ratios.items():
        for what, own in zip(("by the clock", "of processor time"), zip(*found, strict=True), strict=True):
            middle = statistics.median(own)
            print(f"beside {name}, {what}: ratio {middle:.3f} (from {min(own):.3f} to {max(own):.3f})")


if __name__ == "__main__":
    main()
