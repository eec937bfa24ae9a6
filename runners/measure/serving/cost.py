"""Many tasks of one method on one base, measured: what a record of serving says."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
from transformers import PreTrainedModel

from methods import Adapted, Bank
from methods.anatomy import Anatomy
from reports import text
from reports.records.serving_schema import ServedBatch, ServingRecord, Stored, Took
from runners import device, environment, models
from runners.measure.serving import arrivals, storage
from runners.measure.serving.batches import served_batch
from runners.measure.serving.energy import energy
from runners.measure.serving.filled import Filled
from runners.measure.serving.tenants import Tenants
from runners.measure.serving.ways import Inputs, Models
from runners.plan.contenders import Choice
from runners.plan.errors import SpecError
from runners.plan.serving_study import Asked, AskedArrivals

MEMORY_SHARE = 0.8
"""Of what is free may be filled."""


@dataclass(frozen=True)
class Watch:
    """Is told what happens; nothing, unless it is given something to call."""

    doing: Callable[[str], None] = field(default=lambda what: None)
    left_out: Callable[[str], None] = field(default=lambda what: None)


class ServeCost:
    """One method's tasks on one base.

    Args:
        name: see :func:`runners.models.served`.
        choice: the method and its options.
        asked: what is measured.
        dtype: of all weights.

    Raises:
        ModelError, MethodError: the model cannot be read, or cannot carry the method, or no bank serves it.
        SpecError: inputs are too long, or so many tasks do not fit into memory.
    """

    def __init__(
        self, name: str, choice: Choice, asked: Asked, *, dtype: torch.dtype = torch.float32
    ) -> None:
        self.name, self.choice, self.asked, self.dtype = name, choice, asked, dtype
        self.accelerator = device.accelerator()
        self.device = self.accelerator.device
        device.seed_everything(asked.seed)
        self.base: PreTrainedModel = models.served(name, dtype).to(self.device)
        anatomy = Anatomy(self.base)
        self.is_causal, self.base_parameters = anatomy.is_causal, anatomy.base_count
        self.tenants = Tenants(self.base, choice, asked.seed)
        self.merges = self.tenants.method.mergeable
        self._check()

    def _check(self) -> None:
        limit, longest = self.tenants.max_input_length, max(self.asked.lengths)
        if limit is not None and longest > limit:
            raise SpecError(
                f"received the length {longest}, and {self.choice.label} leaves {limit} tokens of "
                f"{self.name} to the user: shorten the input."
            )
        copies = 2 if self.merges else 1  # the merged model takes its tasks from checkpoints
        free = MEMORY_SHARE * device.available_bytes(self.device) - 4 * self.base_bytes
        if copies * max(self.asked.tasks) * self.tenants.bytes > free:
            room = max(0, int(free / (copies * max(1, self.tenants.bytes))))
            raise SpecError(
                f"received {max(self.asked.tasks):,} tasks, and there is memory for about {room:,} of "
                f"{self.choice.label} with {text.size(self.tenants.bytes)} each: ask for fewer."
            )
        Bank(copy.deepcopy(self.base)).add("a task", self.tenants.checkpoint(0))  # or no bank serves it

    @property
    def base_bytes(self) -> int:
        """Of the base's parameters and buffers."""
        tensors = (*self.base.parameters(), *self.base.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def inputs(self, rows: int, length: int) -> Inputs:
        """Random tokens (rows x length), as the model is called with."""
        generator = torch.Generator().manual_seed(self.asked.seed)
        ids = torch.randint(0, self.base.config.vocab_size, (rows, length), generator=generator)
        ids = ids.to(self.device)
        inputs: Inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return inputs | ({"use_cache": True, "logits_to_keep": 1} if self.is_causal else {})

    def measure(
        self, *, study: str = "", arriving: AskedArrivals | None = None, watch: Watch | None = None
    ) -> ServingRecord:
        """Measure all of it; what does not fit into the device's memory is left out, and that is said.

        Args:
            study: the study that it is of.
            arriving: what is simulated of requests that arrive one by one; None for nothing.
            watch: is told of progress.
        """
        watch = watch or Watch()
        started_at = datetime.now(UTC)
        with tempfile.TemporaryDirectory() as folder, self.serving() as filled:
            further = self.tenants.checkpoint(max(self.asked.tasks))
            saved = further.write(Path(folder) / "further")
            stored: list[Stored] = []
            batches: list[ServedBatch] = []
            for tasks in self.asked.tasks:
                watch.doing(f"{self.choice.label}: {text.plural(tasks, 'task')} in memory")
                grown = filled.fill(tasks)
                stored.append(
                    storage.stored(
                        filled.models.bank,
                        further,
                        saved,
                        allocated_bytes=grown,
                        device=self.device,
                        seed=self.asked.seed,
                    )
                )
                batches += self._batches(filled.models, tasks, watch)
            merged = filled.models.merged
            switches = None if merged is None else self._switches(merged, Path(folder))
            record = self._record(study, started_at, stored, batches, switches, saved, filled)
            largest = self.inputs(max(self.asked.batches), min(self.asked.lengths))
            watch.doing(f"{self.choice.label}: energy")
            used = energy(
                filled.models,
                largest,
                self.asked.mix,
                max(self.asked.tasks),
                self.asked.seed,
                self.device,
            )
            record = record.model_copy(update={"energy": used})
            if arriving is None:
                return record
            told = arrivals.study(
                record, filled.models, self.inputs, arriving, self.device, doing=watch.doing
            )
            return record.model_copy(update={"arrivals": told})

    def _record(
        self,
        study: str,
        started_at: datetime,
        stored: Sequence[Stored],
        batches: Sequence[ServedBatch],
        switches: tuple[Took, Took] | None,
        saved: Path,
        filled: Filled,
    ) -> ServingRecord:
        merged = filled.models.merged
        random = self.name in models.architectures()
        return ServingRecord(
            study=study,
            model=self.name,
            architecture=self.base.config.model_type,
            weights="random" if random else models.revision(self.name),
            base_parameters=self.base_parameters,
            base_memory_bytes=self.base_bytes,
            dtype=str(self.dtype).removeprefix("torch."),
            label=self.choice.label,
            method=self.choice.method,
            options=self.tenants.options,
            phase="prefill" if self.is_causal else "forward",
            mix=self.asked.mix,
            task_parameters=self.tenants.parameters,
            task_tensor_bytes=self.tenants.bytes,
            task_disk_bytes=sum(file.stat().st_size for file in saved.iterdir()),
            merged_kept_bytes=None if merged is None else merged.kept_bytes,
            merged_switch=switches[0] if switches else None,
            merged_switch_from_disk=switches[1] if switches else None,
            stored=tuple(stored),
            batches=tuple(sorted(batches, key=lambda b: (b.sequence_length, b.batch_size, b.tasks))),
            arrivals=None,
            energy=None,
            width_asked=self.asked.width,
            seconds_limit=self.asked.seconds,
            seed=self.asked.seed,
            environment=environment.describe(self.accelerator),
            started_at=started_at.isoformat(timespec="seconds"),
        )

    def _switches(self, merged: Adapted, folder: Path) -> tuple[Took, Took]:
        some = [self.tenants.checkpoint(number) for number in (0, 1)]
        files = [one.write(folder / f"merged{number}") for number, one in enumerate(some)]
        return storage.merged_switches(merged, some, files, self.device, self.asked.seed)

    @contextmanager
    def serving(self) -> Iterator[Filled]:
        """The models that serve, without tasks yet; their memory is free again afterwards."""
        filled = Filled(self.base, self.choice, self.tenants)
        try:
            yield filled
        finally:
            del filled
            device.free(self.device)

    def _batches(self, served: Models, tasks: int, watch: Watch) -> Iterator[ServedBatch]:
        for length in self.asked.lengths:
            for rows in self.asked.batches:
                what = f"{self.choice.label}: {text.plural(tasks, 'task')}, batch {rows} x {length} tokens"
                watch.doing(what)
                try:
                    yield served_batch(served, self.inputs(rows, length), tasks, self.asked, self.device)
                except Exception as error:
                    if not device.is_out_of_memory(error):
                        raise
                    device.free(self.device)
                    watch.left_out(f"Left out: {what}: the device ran out of memory.")
