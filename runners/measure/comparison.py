"""A model served without and with each of some methods, timed side by side in one process.

How a call is timed is in ``timing.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

import methods
from methods.anatomy import Anatomy, max_positions
from reports.records.cost_parts import LatencyRow
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from runners import device, environment, models
from runners.measure import timing
from runners.measure.latency import settle
from runners.plan.contenders import Choice
from runners.plan.errors import SpecError

Watch = Callable[[int, float], None]
"""Is told how many rounds there are and how wide the widest interval is."""


@dataclass(frozen=True)
class Cell:
    """One thing to time: what is done with how many inputs of which length."""

    phase: Literal["forward", "prefill", "decode"]
    batch_size: int
    sequence_length: int
    decode_tokens: int | None = None

    @property
    def positions(self) -> int:
        """Positions of the user's that it takes."""
        return self.sequence_length + (self.decode_tokens or 0)

    def __str__(self) -> str:
        steps = f" + {self.decode_tokens}" if self.decode_tokens else ""
        return f"{self.phase}, batch {self.batch_size} x {self.sequence_length}{steps} tokens"


@dataclass(frozen=True)
class Contestant:
    """A model that takes part, and what a record says of it."""

    model: PreTrainedModel
    method: str | None
    options: dict[str, Any]
    merged: bool
    parameters: int
    max_input_length: int | None


class Comparison:
    """A model without and with each of some methods, all in this process.

    Every contestant has weights of its own. Methods are as new, except that no tensor stays zero: the clock
    of an accelerator depends on the data.

    Args:
        name: see :func:`runners.models.served`.
        choices: methods to compare; those that merge take part twice.
        dtype: of all weights.
        seed: of random weights and of inputs.

    Raises:
        ModelError, MethodError: the model cannot be read, or cannot carry a method.
    """

    def __init__(
        self, name: str, choices: Sequence[Choice], *, dtype: torch.dtype = torch.float32, seed: int = 0
    ) -> None:
        self.name, self.dtype, self.seed = name, dtype, seed
        self.accelerator = device.accelerator()
        self.device = self.accelerator.device
        device.seed_everything(seed)
        base = models.served(name, dtype).to(self.device)
        anatomy = Anatomy(base)
        self.is_causal, self.vocabulary = anatomy.is_causal, base.config.vocab_size
        self.base_parameters = anatomy.base_count
        limit = max_positions(anatomy)
        self.contestants = {
            # Copies like the others, so that nothing but the method sets them apart.
            "base": Contestant(copy.deepcopy(base), None, {}, False, 0, limit),
            "base again": Contestant(copy.deepcopy(base), None, {}, False, 0, limit),
        }
        for choice in choices:
            if choice.label in self.contestants:
                raise SpecError(f"the method {choice.label!r} is named twice: each may take part once.")
            self._add(base, choice)
        for contestant in self.contestants.values():
            settle(contestant.model)

    def _add(self, base: PreTrainedModel, choice: Choice) -> None:
        for merged in (False, True):
            adapted = methods.apply(copy.deepcopy(base), choice.method, **choice.options)
            if merged and not adapted.method.mergeable:
                continue
            for parameter in adapted.trained().values():
                if not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.02)
            counts, limit = adapted.parameter_counts(), adapted.max_input_length
            if merged:
                adapted.merge()
            label = f"{choice.label}, merged" if merged else choice.label
            self.contestants[label] = Contestant(
                adapted.model.eval(),
                choice.method,
                adapted.options.told(),
                merged,
                counts["method"],
                limit,
            )

    def check(self, cells: Sequence[Cell]) -> None:
        """Find out before the first is timed which cells cannot be.

        Raises:
            SpecError: an input is too long for a contestant, or the model writes no text.
        """
        for cell in cells:
            if cell.decode_tokens and not self.is_causal:
                raise SpecError(
                    f"{self.name} is no causal language model and decodes nothing: leave --decode out."
                )
            for label, contestant in self.contestants.items():
                limit = contestant.max_input_length
                if limit is not None and cell.positions > limit:
                    raise SpecError(
                        f"{cell} needs {cell.positions} positions, and {label} leaves {limit} of {self.name} "
                        "to the user: shorten the input."
                    )

    def cells(
        self, batches: Sequence[int], lengths: Sequence[int], decode_tokens: int | None = None
    ) -> list[Cell]:
        """The grid of batch sizes and lengths, each with its decoding where that is asked for."""
        first: Literal["prefill", "forward"] = "prefill" if self.is_causal else "forward"
        found = []
        for length in lengths:
            for batch in batches:
                found.append(Cell(first, batch, length))
                if decode_tokens is not None:
                    found.append(Cell("decode", batch, length, decode_tokens))
        self.check(found)
        return found

    def is_of(self, record: LatencyRecord, cell: Cell) -> bool:
        """Whether a record is of this comparison on this cell, with as many threads."""
        ours = [(c.method, c.options, c.merged) for c in self.contestants.values()]
        theirs = [(e.method, e.options, e.merged) for e in record.entries]
        where = (record.model, record.dtype, record.seed, record.environment.threads)
        return (
            where == (self.name, str(self.dtype).removeprefix("torch."), self.seed, torch.get_num_threads())
            and (record.phase, record.batch_size, record.sequence_length, record.decode_tokens)
            == (cell.phase, cell.batch_size, cell.sequence_length, cell.decode_tokens)
            and theirs == ours
        )

    def measure(
        self,
        cell: Cell,
        *,
        width: float,
        seconds: float,
        study: str = "",
        watch: Watch = lambda rounds, widest: None,
    ) -> LatencyRecord:
        """Time all contestants on one cell; see :func:`runners.measure.timing.measure_until`."""
        started_at = datetime.now(UTC)
        generator = torch.Generator().manual_seed(self.seed)
        size = (cell.batch_size, cell.positions)
        ids = torch.randint(0, self.vocabulary, size, generator=generator).to(self.device)
        calls = {label: _served_call(c.model, cell, ids) for label, c in self.contestants.items()}
        found = timing.measure_until(
            {label: call.run for label, call in calls.items()},
            reference="base",
            device=self.device,
            width=width,
            seconds=seconds,
            seed=self.seed,
            prepare={label: call.prepare for label, call in calls.items()},
            watch=watch,
        )
        random = self.name in models.architectures()
        return LatencyRecord(
            study=study,
            model=self.name,
            architecture=self.contestants["base"].model.config.model_type,
            weights="random" if random else models.revision(self.name),
            base_parameters=self.base_parameters,
            dtype=str(self.dtype).removeprefix("torch."),
            phase=cell.phase,
            batch_size=cell.batch_size,
            sequence_length=cell.sequence_length,
            decode_tokens=cell.decode_tokens,
            rounds=found.rounds,
            width_asked=width,
            widest=found.widest,
            seconds_limit=seconds,
            seed=self.seed,
            entries=tuple(self._entry(label, row, cell) for label, row in found.rows.items()),
            environment=environment.describe(self.accelerator),
            started_at=started_at.isoformat(timespec="seconds"),
        )

    def _entry(self, label: str, row: LatencyRow, cell: Cell) -> LatencyEntry:
        contestant, steps = self.contestants[label], cell.decode_tokens or 1
        per_step = {
            "latency_ms_p50": row.latency_ms_p50 / steps,
            "latency_ms_p95": row.latency_ms_p95 / steps,
        }
        return LatencyEntry(
            **row.model_dump() | per_step,
            label=label,
            method=contestant.method,
            options=contestant.options,
            merged=contestant.merged,
            parameters=contestant.parameters,
            max_input_length=contestant.max_input_length,
        )


class _Forward:
    """A pass over the input; of a causal model, up to the logits of the first new token."""

    def __init__(self, model: PreTrainedModel, cell: Cell, ids: Tensor) -> None:
        self.model = model
        self.inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if cell.phase == "prefill":
            self.inputs |= {"use_cache": True, "logits_to_keep": 1}

    def prepare(self) -> None:
        """Nothing."""

    def run(self) -> object:
        """Call the model."""
        return self.model(**self.inputs)


class _Decode:
    """Single-token steps behind an input whose keys and values are in the cache."""

    def __init__(self, model: PreTrainedModel, cell: Cell, ids: Tensor) -> None:
        self.model = model
        self.prompt, self.tokens = ids[:, : cell.sequence_length], ids[:, cell.sequence_length :]
        self.cache: Any = None

    def prepare(self) -> None:
        """Fill the cache."""
        self.cache = self.model(input_ids=self.prompt, use_cache=True, logits_to_keep=1).past_key_values

    def run(self) -> object:
        """Feed given tokens, so that every contestant does the same work."""
        for token in self.tokens.split(1, dim=1):
            out = self.model(input_ids=token, past_key_values=self.cache, use_cache=True)
        return out


def _served_call(model: PreTrainedModel, cell: Cell, ids: Tensor) -> _Forward | _Decode:
    return (_Decode if cell.phase == "decode" else _Forward)(model, cell, ids)
