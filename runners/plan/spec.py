"""What a trial is: a frozen, validated, hashable description. The same spec always means the same trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import methods
import tasks
from methods.errors import explain
from reports.records.identity import spec_hash
from reports.text import setting
from runners import weights
from runners.numerics import Attention, BaseDtype, Numerics, NumericsError, Precision, Quantization
from runners.plan.costs import NONE, NOT_OF_COSTS, CostSettings
from runners.plan.errors import SpecError
from tasks.own.declaration import Own
from tasks.spec import FileSource, TaskSpec

RULES: Final = 3
"""Version of the rules of training. It rises when the same settings train otherwise: 2 begins the warm-up
above zero and updates with torch's fused AdamW; 3 scores the selection split as often as a tenth of the
training pays for, where no interval is set, lets what is frozen in front of all that trains compute as in
evaluation, without dropout, and draws the numbers of dropout on a CPU from 16 bits each."""

INTERVAL_BEFORE: Final = 80
"""Steps between evaluations where none were set, by the rules 1 and 2."""


class Generation(BaseModel):
    """How text is written, where a task is scored by it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    longest: int = Field(
        64, ge=2, description="tokens of a text at most, in training and in scoring, its end among them"
    )
    beams: int = Field(1, ge=1, le=64, description="texts that are followed at once; 1 = the likeliest token")
    length_penalty: float = Field(
        1.0, description="of beams: a log-probability is divided by the text's length to this power"
    )
    no_repeat: int = Field(0, ge=0, description="as many tokens in a row are not written twice; 0 = any are")


class Protocol(BaseModel):
    """How a trial trains and scores. A study states only what differs from these defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_length: int = Field(
        128,
        ge=8,
        description="longest input in tokens; a prompt comes on top, as far as the model has positions",
    )
    batch_size: int = Field(32, ge=1, description="examples per optimiser step, over all processes")
    epochs: float = Field(3.0, gt=0, description="passes over the training split, where steps is not given")
    steps: int | None = Field(None, ge=1, description="optimiser steps; none = from epochs")
    learning_rate: float | None = Field(None, gt=0, description="peak rate of AdamW; none = the method's own")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on biases and norms")
    warmup_share: float = Field(0.06, ge=0, lt=1, description="share of the steps with a rising rate")
    gradient_clip: float = Field(1.0, gt=0, description="largest gradient norm")
    evaluate_every: int | None = Field(
        None,
        ge=1,
        description="steps between evaluations on the selection split; none = 1 to 10 of them, evenly, as "
        "many as cost a tenth of the training, where scoring a row is a third of training on one",
    )
    train_examples: int | None = Field(None, ge=1, description="use only so many training examples")
    scored_examples: int | None = Field(
        None, ge=1, description="score only so many examples of the selection and of the reported split"
    )
    precision: Precision = Field(
        "float32", description="of the computation: autocast where it is not float32; float16 scales the loss"
    )
    base_dtype: BaseDtype = Field(
        "float32", description="of what is frozen; what trains, and the head, is in float32"
    )
    quantization: Quantization | None = Field(
        None, description="of the frozen linear layers, by bitsandbytes: nf4 or int8; none = whole"
    )
    micro_batch: int | None = Field(
        None, ge=1, description="examples that a process computes at once; none = its share of a batch"
    )
    gradient_checkpointing: bool = Field(
        False,
        description="compute the blocks again in the backward pass instead of keeping what they computed",
    )
    attention: Attention | None = Field(
        None, description="how attention is computed, eager or sdpa; none = as the model chooses"
    )

    text_to_text: bool = Field(
        False,
        description="a model that writes answers to a classification by the likeliest of its label words",
    )
    generation: Generation | None = Field(
        None, description="how text is written, where a task is scored by it; none = greedily, 64 tokens"
    )

    @property
    def numerics(self) -> Numerics:
        """How the model is stored and computed."""
        return Numerics(
            self.precision, self.base_dtype, self.quantization, self.gradient_checkpointing, self.attention
        )

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            SpecError: one sentence.
        """
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise SpecError(
                f"protocol: micro_batch={self.micro_batch} is a part of a batch, and batch_size="
                f"{self.batch_size}: expected at most {self.batch_size}."
            )
        try:
            self.numerics.check()
        except NumericsError as error:
            raise SpecError(f"protocol: {error}.") from None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Validate; raises :class:`SpecError` with one sentence."""
        for name in (*CostSettings.model_fields, "score_only"):
            if name in values:
                said = f"{NONE}" if name == "score_only" else f"{{{name}: {values[name]}}}"
                raise SpecError(f"{name} is no part of the protocol, expected `costs: {said}` in the study.")
        fields = cls.model_fields
        # What the descriptions call none may be written so: in YAML it is a word.
        optional = {name for name, field in fields.items() if field.default is None}
        given = {k: None if k in optional and v == NONE else v for k, v in values.items()}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SpecError(explain(error, "protocol", cls)) from None


class TrialSpec(BaseModel):
    """One method on one task with one seed: everything that decides the outcome, and where to find the data.

    Construction resolves it: the method's options are validated and their defaults written out, and the
    learning rate becomes a number. Unknown names raise the error of the package that knows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="`embedded`, a hub id, or a local folder")
    model_sha256: str | None = Field(
        None,
        description="of what a local folder holds, which the id has in place of the folder; none = no folder",
    )
    task: str
    own: Own | None = Field(
        None, description="the task, where it is of a user's own data; none = one of Paretune's"
    )
    # Where this machine keeps the data, not which they are: that is a hash in the record. In no record or id.
    data: str | None = Field(
        None, exclude=True, description="folder of the nyu-mll/glue layout; none = hub or package"
    )
    files: FileSource | None = Field(
        None, exclude=True, description="of a user's own data: what was declared, and the files in `data`"
    )
    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(0, ge=0, lt=2**32)
    protocol: Protocol = Field(default_factory=Protocol)
    search: bool = Field(
        False, description="a trial of a search: only the selection split is scored, and no cost measured"
    )
    halving: bool = Field(
        False, description="a trial of a search that may be stopped: it is scored at each of its rungs too"
    )
    rules: int = Field(RULES, ge=1, le=RULES, description="version of the rules of training")
    # How something is measured is no part of the trial either.
    costs: CostSettings | None = Field(
        CostSettings(), exclude=True, description="how costs are measured; none = train and score alone"
    )

    def __init__(self, **values: Any) -> None:
        # Here and not in a validator, where pydantic would wrap every error in one of its own.
        method, task, own = methods.get(str(values.get("method"))), str(values.get("task")), values.get("own")
        if own is None:
            declared = tasks.get(task)
            task, writes = declared.name, declared.problem_type == "generation"
        else:
            problem = own.get("problem") if isinstance(own, Mapping) else getattr(own, "problem", None)
            writes = problem == "generation"
        options = method.options.parse(method.name, values.get("options") or {})
        protocol = values.get("protocol") or {}
        if not isinstance(protocol, Protocol):
            protocol = Protocol.parse(protocol)
        protocol.check()
        text_to_text = protocol.text_to_text and not writes
        generation = (protocol.generation or Generation()) if writes else None
        protocol = protocol.model_copy(update={"generation": generation, "text_to_text": text_to_text})
        if protocol.learning_rate is None:
            protocol = protocol.model_copy(update={"learning_rate": method.card.learning_rate})
        if protocol.evaluate_every is None and values.get("rules", RULES) in (1, 2):
            protocol = protocol.model_copy(update={"evaluate_every": INTERVAL_BEFORE})
        if values.get("model_sha256") is None and (folder := weights.local(str(values.get("model")))):
            values = values | {"model_sha256": weights.of_model(folder)}
        resolved = {"task": task, "options": options.told(), "protocol": protocol}
        try:
            super().__init__(**(values | resolved))
        except ValidationError as error:
            raise SpecError(explain(error, "the trial", type(self))) from None
        if self.protocol.text_to_text and self.declared.problem_type != "classification":
            raise SpecError(
                f"protocol: text_to_text=true, but {self.task} is a {self.declared.problem_type}, whose "
                "answers are not words: expected false, or a classification."
            )

    @property
    def writes(self) -> bool:
        """Whether the model answers with the head that writes text, and not with one for the task."""
        return self.protocol.generation is not None or self.protocol.text_to_text

    @property
    def declared(self) -> TaskSpec:
        """The declaration of its task."""
        if self.own is not None:
            return self.own.task(self.task, self.files or FileSource())
        return tasks.get(self.task)

    @property
    def trial_id(self) -> str:
        """What :func:`reports.records.identity.spec_hash` makes of the resolved spec."""
        return spec_hash(self.model_dump(mode="json"))

    @property
    def cost_id(self) -> str:
        """Equal for trials whose costs are the same, measured in the same way: those of all seeds, say."""
        trained = self.model_dump(mode="json", exclude={"seed": True, "protocol": set(NOT_OF_COSTS)})
        return spec_hash({**trained, "costs": self.costs and self.costs.model_dump()})

    @property
    def label(self) -> str:
        """A short name for people where no other trial is known, e.g. ``mrpc / lora (rank=4) / seed 0``.

        It tells the options and the learning rate that are not the method's own;
        :class:`runners.plan.names.Names` tells the trials of a study apart.
        """
        method = methods.get(self.method)
        own = {**method.options().told(), "learning_rate": method.card.learning_rate}
        chosen = {**self.options, "learning_rate": self.protocol.learning_rate}
        if self.search:
            chosen.pop("learning_rate")
        told = [f"{key}={setting(value)}" for key, value in chosen.items() if own.get(key) != value]
        row = f"{self.method} ({', '.join(told)})" if told else self.method
        which = f"search at {self.protocol.learning_rate:.2g}" if self.search else f"seed {self.seed}"
        return f"{self.task} / {row} / {which}"

    def __hash__(self) -> int:
        return hash(self.trial_id)
