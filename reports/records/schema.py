"""The result of one trial: the single typed, versioned format that runners write and reports read.

A record is one JSON file. Every measured number carries its unit in its name, a number that was not
measured is ``null`` and never a placeholder, and everything needed to repeat the trial is inside.
``SCHEMA_VERSION`` rises whenever a field changes meaning, appears or goes; older files are brought up
to date by small pure functions, never by guessing in the readers.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from reports.records.cost_parts import Compute, Decoding, Forgetting, Latency, Memory, Serving, TrainingEnergy
from reports.records.part import Part
from reports.records.shared import shared

SCHEMA_VERSION: Final = 6

Status = Literal["completed", "diverged", "out_of_memory", "failed", "pruned"]
"""How a trial ended; `pruned` is a trial of a search that was stopped since others did better."""


class ModelInfo(Part):
    """What was tuned."""

    name: str = Field(description="as the study names it: a hub id, a folder, or `embedded`")
    architecture: str = Field(description="transformers model type, e.g. `bert`")
    revision: str = Field(description="hub commit, or `sha256:` of the weight files for a local model")
    head: str | None = Field(
        default=None,
        description="where the head starts from, e.g. `fresh`, and what else was drawn; null before schema 5",
    )


class MetricInfo(Part):
    """One metric of a task, with what is needed to read its numbers."""

    name: str = Field(description="such as `accuracy`")
    higher_is_better: bool = Field(default=True, description="whether a larger value is the better one")
    unit: str = Field(description="`fraction` (0 to 1), `correlation` (-1 to 1) or `points` (from 0 up)")


class SplitSizes(Part):
    """Number of examples in each split actually used; null where another suite does not tell it."""

    train: int | None = Field(ge=0, description="examples that are trained on")
    selection: int | None = Field(ge=0, description="examples that choose the checkpoint")
    report: int | None = Field(ge=0, description="examples that are scored once")


class TaskInfo(Part):
    """What was learned, and proof of on which data."""

    name: str = Field(description="as `paretune tasks` or the study calls it")
    version: int = Field(ge=1, description="of the task's declaration")
    main_metric: str = Field(description="the metric that ranks")
    metrics: tuple[MetricInfo, ...] = Field(description="every metric that is scored")
    source: str = Field(description="where the data came from: hub id and revision, folder or package")
    license: str = Field(description="of the data")
    sizes: SplitSizes
    dropped_train_examples: int | None = Field(
        ge=0, description="removed because their text is in another split"
    )
    data_sha256: str | None = Field(description="hash of the content of all three splits")
    truncated: SplitSizes | None = Field(
        default=None,
        description="examples of each split that were cut to the longest input; null before schema 5",
    )
    origin: str | None = Field(
        default=None, description="whose task it is, where it is not one of Paretune's; null for those"
    )


class Parameters(Part):
    """Scalar parameters, counted on the live model; the head is never part of the method."""

    base: int = Field(ge=0, description="the model as loaded, without its task head")
    method: int = Field(ge=0, description="trained by the method")
    head: int = Field(ge=0, description="trained in the task head (and pooler biases where a method says so)")
    trainable: int = Field(ge=0, description="method + head")
    stored: int | None = Field(
        ge=0, description="kept by the method after training, e.g. a prefix without its MLP"
    )
    trainable_share: float = Field(ge=0, description="method / base; a method may be larger than its base")
    parts: dict[str, int] = Field(description="what `method` is made of")


class CurvePoint(Part):
    """One evaluation on the selection split during training."""

    step: int = Field(ge=0, description="optimiser steps so far")
    train_loss: float | None = Field(description="mean training loss since the last point")
    selection: dict[str, float | None] = Field(description="metric name to value, null where undefined")


class Scores(Part):
    """Metric values; null where a metric is undefined (correlation of a constant prediction)."""

    selection: dict[str, float | None] = Field(description="on the split that chose the checkpoint")
    report: dict[str, float | None] = Field(description="on the split used for nothing else; scored once")
    majority: dict[str, float | None] = Field(
        description="what always predicting the training majority (or mean) gives on the reported split"
    )
    best_step: int = Field(ge=0, description="the optimiser step whose weights were scored")


class Answers(Part):
    """What the model answered to every example of the reported split; see ``answers.py`` for the packing.

    Where words are labelled it is how many spans each sentence was given (`predicted`), has (`references`)
    and was given rightly (`hits`), and `labels` is one more than the words of the longest sentence.
    """

    count: int = Field(ge=1, le=10_000_000, description="of answers")
    labels: int | None = Field(ge=2, le=65_536, description="number of classes; null for a regression")
    predicted: str = Field(max_length=64_000_000, description="base64, in the order of the split")
    references: str = Field(max_length=64_000_000, description="the right answers, packed alike")
    hits: str | None = Field(
        default=None,
        max_length=64_000_000,
        exclude_if=lambda value: value is None,  # a record of before is written as it was
        description="of labelled words, how many spans of each sentence are right; null for all else",
    )


class FurtherReport(Part):
    """A further report split: other examples, scored once by the same weights. It ranks nothing."""

    examples: int = Field(ge=1, description="that were scored")
    left_out: int = Field(
        ge=0, description="rows that were not scored, since the training or selection split has their text"
    )
    truncated: int = Field(ge=0, description="examples that were cut to the longest input")
    data_sha256: str = Field(description="hash of the content of the split, without what was left out")
    scores: dict[str, float | None] = Field(description="metric name to value, null where undefined")
    majority: dict[str, float | None] = Field(
        description="what always predicting the training majority (or mean) gives on it"
    )
    answers: Answers | None = Field(default=None, description="to every example; null where text is written")


class Training(Part):
    """The cost of training, evaluation apart."""

    steps: int = Field(ge=0, description="optimiser steps that were done")
    examples: int = Field(ge=0, description="training examples processed, repeats counted")
    seconds: float = Field(
        ge=0, description="forward, backward and update; no evaluation; since schema 5 no loading either"
    )
    examples_per_second: float = Field(ge=0, description="`examples` over `seconds`")
    evaluation_seconds: float = Field(ge=0, description="scoring the selection split while training")
    padding_share: float | None = Field(
        ge=0, le=1, description="padded positions among all positions trained on"
    )
    mean_length: float | None = Field(
        default=None, ge=0, description="tokens of an example, padding included; null before schema 5"
    )
    step_ms_p50: float | None = Field(default=None, ge=0, description="of a step; null before schema 5")
    step_ms_p95: float | None = Field(default=None, ge=0, description="of a step; null before schema 5")
    skipped_steps: int | None = Field(
        default=None, ge=0, description="without an update, as gradients overflowed; null unless in float16"
    )
    cpu_share: float | None = Field(
        default=None, ge=0, description="processor time over wall time x threads; null before schema 5"
    )
    waited_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of the time that this process's threads were ready but others had the cores",
    )
    load_average: float | None = Field(
        default=None, ge=0, description="of the system, over a minute; null where it does not tell"
    )
    optimizer: str | None = Field(
        default=None, description="the implementation of AdamW, such as `fused`; null before schema 5"
    )
    resumed_at: tuple[int, ...] = Field(
        default=(),
        description="steps at which the trial went on after it had been killed, or stopped at a rung",
    )
    reused_blocks: int | None = Field(
        default=None,
        ge=0,
        description="blocks in front of all that trains, whose outputs were computed once and kept; "
        "null before schema 6",
    )
    energy: TrainingEnergy | None = Field(
        default=None,
        description="null where no counter tells, others may have run beside it, or not all was counted",
    )


class Environment(Part):
    """Where the numbers were measured."""

    paretune_version: str | None = Field(description="null where another suite measured")
    commit: str | None = Field(description="git commit of the code, null outside a checkout")
    tree_clean: bool | None = Field(description="whether the checkout had no uncommitted change")
    python: str | None = Field(description="version; null where another suite measured")
    platform: str = Field(description="operating system and processor, as Python names them")
    packages: dict[str, str] = Field(description="versions of the libraries that move numbers")
    device: str = Field(description="`cpu`, `cuda` ...")
    device_name: str = Field(description="of the processor or accelerator")
    processes: int = Field(ge=1, description="number of training processes")
    threads: int | None = Field(ge=1, description="intra-operation threads of torch")
    cores: int | None = Field(
        default=None, ge=1, description="that this process may use; null before schema 5"
    )
    side_by_side: int | None = Field(
        default=None, ge=1, description="trials that were trained on it at once; null before schema 6"
    )


class SearchStep(Part):
    """One setting that a search tried."""

    values: dict[str, Any] = Field(description="what was tried, by the names of `Tuning.space`")
    score: float | None = Field(description="main metric on the selection split; null: none was reached")
    status: Status = Field(description="how it ended; `pruned`: stopped, since others did better")
    steps: int | None = Field(
        default=None, ge=0, description="trained when it was scored; null: it failed, or before schema 6"
    )
    scores: tuple[float | None, ...] = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="by seed, where each setting was trained with several; `score` is their mean",
    )


class Tuning(Part):
    """How a search chose the settings of a trial. It saw the training and the selection split, no other."""

    split: Literal["selection"] = Field(description="the split that the search compared settings on")
    metric: str = Field(description="the metric that it compared them by")
    higher_is_better: bool = Field(description="whether a larger value of the metric is the better one")
    trials: int = Field(ge=1, description="settings tried: the same number for every method of the study")
    examples: int = Field(
        ge=1,
        description="training examples planned for all those trials, repeats counted: the same number for "
        "every method of the study; a trial that failed or diverged may have stopped earlier",
    )
    rungs: tuple[int, ...] = Field(
        default=(), description="steps after which the worse settings were stopped; none: all were whole"
    )
    seconds: float = Field(ge=0, description="the whole search: loading, training and scoring")
    seed: int = Field(ge=0, description="of the trials of the search; the trials reported have other seeds")
    seeds: int = Field(
        default=1,
        ge=1,
        exclude_if=lambda value: value == 1,
        description="with which each setting was trained: `seed`, `seed` + 1 ...",
    )
    tolerance: Annotated[float, Field(ge=0, exclude_if=lambda value: not value)] = Field(
        default=0.0, description="the lowest rate so near the best was chosen; 0: the best was"
    )
    sampler: str = Field(description="what suggested the settings: `optuna TPE`, or the study's own `grid`")
    space: dict[str, dict[str, Any]] = Field(
        description="what was searched, by name: `low` and `high` of a logarithmic range, or `values`"
    )
    chosen: dict[str, Any] = Field(description="the setting found, by the names of `space`")
    protocol: dict[str, Any] = Field(description="in what the training of the search's trials differed")
    history: tuple[SearchStep, ...] = Field(description="in its order, the default first if suggested")


class Suite(Part):
    """Another suite that measured a record, and the result as that suite wrote it.

    What `reports/records/checks.py` lists under MEASURED may be null in such a record, and in no other.
    """

    name: str = Field(min_length=1, description="what the suite is called")
    url: str = Field(
        pattern=r"^https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/-]*)?$", description="where it is found"
    )
    experiment: str = Field(description="the suite's own name of the trial")
    label: str = Field(min_length=1, description="the same, shortened to what tells its rows apart")
    status: str = Field(description="the suite's own word")
    notes: tuple[str, ...] = Field(description="where its numbers mean something else than this schema's")
    file_sha256: str = Field(description="of the file it was imported from")
    original: dict[str, Any] = Field(description="the content of that file, as it was")


class Record(Part):
    """One trial. Parts that a failed trial never reached are null.

    A trial of a search, whose `spec` says `search`, scores the selection split alone: `scores.report`,
    `scores.majority` and `further_reports` are empty, and no cost is measured after training.
    """

    schema_version: Literal[6] = SCHEMA_VERSION
    trial_id: str = Field(description="content hash of `spec`")
    study: str = Field(description="the study that the trial is of")
    spec: dict[str, Any] = Field(description="the resolved TrialSpec: model, task, method, options, seed ...")
    status: Status = Field(description="how it ended; `pruned`: of a search, stopped since others did better")
    message: str | None = Field(description="why a trial did not complete")
    model: ModelInfo | None
    task: TaskInfo | None
    parameters: Parameters | None
    scores: Scores | None
    answers: Answers | None = Field(
        description="null where they are texts, in records of schema 1 to 3, of a search and of other "
        "suites; where words are labelled in older records too"
    )
    further_reports: dict[str, FurtherReport] = Field(
        default={},
        exclude_if=lambda value: not value,  # a record of before is written as it was
        description="further report splits by name, scored beside the one that ranks",
    )
    curve: tuple[CurvePoint, ...]
    training: Training | None
    memory: Memory | None
    checkpoint_bytes: int | None = Field(description="bytes on disk of the saved method and head")
    latency: Latency | None = Field(description="null where the model writes: `decoding` has its times")
    decoding: Decoding | None = Field(default=None, description="null where the model does not write")
    forgetting: Forgetting | None = Field(default=None, description="null where it was not asked for")
    compute: Compute | None = Field(
        description="null where nothing tells the FLOPs, and in records of schema 1"
    )
    serving: Serving | None = Field(description="null in records of schema 1")
    tuning: Tuning | None = Field(
        description="null: fixed settings, those that the study names and the defaults"
    )
    suite: Suite | None = Field(default=None, description="null where Paretune measured")
    costs_from: str | None = Field(
        default=None,
        description="id of the trial whose record has the costs: they are measured once for each setting, "
        "with one seed; null: they are here, or not asked for",
    )
    gaps: dict[str, str] = Field(
        default={}, description="parts among the costs that were asked for and could not be measured, and why"
    )
    checkpoint_sha256: str | None = Field(
        default=None, description="of the files of the trained method, where they are kept"
    )
    method_origin: str | None = Field(
        default=None, description="whose method it is, where it is not one of Paretune's; null for those"
    )
    environment: Environment
    started_at: str = Field(description="ISO 8601, UTC")
    wall_seconds: float = Field(
        ge=0, description="the whole trial: loading, training, scoring, timing, and what it was spared"
    )

    @field_validator("model", "task", "parameters", "compute", "serving", "tuning", "environment")
    @classmethod
    def _one(cls, part: Part | None) -> Part | None:
        return part and shared(part)
