"""The result of serving many tasks of one method from one base: memory, times, batches of several tasks."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from pydantic import Field

from reports.records.cost_parts import LatencyRow
from reports.records.part import Part
from reports.records.schema import Environment

SERVING_SCHEMA_VERSION: Final = 1

Mix = Literal["uniform", "zipf", "one"]
Way = Literal["mixed", "in turn", "merged in turn"]
"""How a batch whose rows belong to several tasks is served: each row with its own task's tensors; or task
after task, each with its rows alone, the model being switched between them, unmerged or merged."""

WAYS: Final[tuple[Way, ...]] = get_args(Way)


class Took(Part):
    """A time that is measured by itself, not beside the base."""

    ms_p50: float = Field(ge=0, description="median")
    ms_low: float = Field(ge=0, description="lower end of its 95 % bootstrap interval")
    ms_high: float = Field(ge=0, description="upper end of the same interval")
    times: int = Field(ge=1, description="how often it was timed")


class Stored(Part):
    """So many tasks in memory at once."""

    tasks: int = Field(ge=1, description="of the same method and sizes")
    memory_bytes: int = Field(
        ge=0, description="tensors of all tasks, beside the base, as they lie in memory"
    )
    allocated_bytes: int = Field(
        description="by how much the memory of all tensors of the process, or what the accelerator's "
        "allocator has given out, grew with them"
    )
    add: Took = Field(description="taking one more task in, from a checkpoint in memory")
    add_from_disk: Took = Field(description="the same from its files, which the system has read before")
    switch: Took = Field(description="from one task to another, each for whole batches")
    evict: Took = Field(description="taking one task out")


class Paired(Part):
    """The median over rounds of one way's time over another's in the same round."""

    ratio: float = Field(gt=0, description="median over rounds")
    ratio_low: float = Field(gt=0, description="lower end of its 95 % bootstrap interval over rounds")
    ratio_high: float = Field(gt=0, description="upper end of the same interval")


class ServedBatch(Part):
    """Batches of one size whose rows draw their tasks anew in every round; all ways serve the same rows."""

    batch_size: int = Field(ge=1, description="rows of one batch")
    sequence_length: int = Field(
        ge=1, description="the user's tokens of a row; what a method adds comes on top"
    )
    tasks: int = Field(ge=1, description="that rows draw from")
    distinct_tasks: float = Field(ge=1, description="in a batch, the mean over rounds")
    rounds: int = Field(ge=1, description="in each of which every way was timed once")
    widest: float = Field(ge=0, description="width of the widest interval of a ratio to the base, as a share")
    base_ms_p50: float = Field(gt=0, description="median time of the untouched base, whose rows have no task")
    control: LatencyRow = Field(description="a second untouched base: its ratio must contain 1")
    one_task: LatencyRow = Field(description="all rows of one task, unmerged")
    mixed: LatencyRow
    in_turn: LatencyRow = Field(description="task after task in the batch, unmerged")
    merged: LatencyRow | None = Field(
        description="all rows of one task, merged; null: the method does not merge"
    )
    merged_in_turn: LatencyRow | None = Field(description="task after task, merged anew for each; or null")
    mixed_to_in_turn: Paired = Field(description="below 1 a mixed batch is faster than a loop over tasks")
    mixed_to_merged_in_turn: Paired | None = Field(description="the same beside merged switching")
    one_task_to_merged: Paired | None = Field(description="what merging saves a batch of one task")
    mixed_difference: float = Field(
        ge=0, description="largest difference of a logit between a mixed batch and task after task"
    )


class Waited(Part):
    """How long requests took from their arrival to their answer."""

    ms_p50: float = Field(ge=0, description="median over requests")
    ms_p95: float = Field(ge=0, description="95th percentile")
    ms_p99: float = Field(ge=0, description="99th percentile")


class Arrivals(Part):
    """Requests of one row each that arrive at random (Poisson) for tasks drawn by a Zipf law, simulated."""

    way: Way = Field(description="how a batch of several tasks is served")
    tasks: int = Field(ge=1, description="that requests are drawn from")
    in_memory: int = Field(
        ge=1, description="of these, how many are held; the others are read when asked for"
    )
    rate_per_second: float = Field(gt=0, description="of arrivals")
    waited: Waited | None = Field(description="null where requests arrive faster than they can be served")
    largest_rate_per_second: float = Field(
        ge=0, description="of arrivals, with which 99 of 100 requests are answered within the limit"
    )


class Rehearsed(Part):
    """The same arrivals simulated and served in truth, by the same machine."""

    way: Way = Field(description="how a batch of several tasks is served")
    tasks: int = Field(ge=1, description="that requests are drawn from")
    rate_per_second: float = Field(gt=0, description="of arrivals")
    requests: int = Field(ge=1, description="that arrived")
    simulated: Waited
    measured: Waited
    service_ratio: float | None = Field(
        default=None,
        gt=0,
        description="what its batches took in truth over what was assumed for the same batches, a while "
        "before; null where it was not noted",
    )
    simulated_as_fast: Waited | None = Field(
        default=None, description="simulated with times multiplied by that: whether queues form as they do"
    )


class ArrivalStudy(Part):
    """What the measured times mean for requests that arrive one by one.

    One server takes waiting requests, the oldest first, up to ``largest_batch`` at once: any for mixed
    batches, otherwise those of the oldest one's task. A batch takes as long as was measured, between the
    measured sizes by a straight line; tasks that are not in memory are read first, and the one that was not
    asked for longest makes room.
    """

    sequence_length: int = Field(ge=1, description="of every request, in tokens")
    zipf_exponent: float = Field(ge=0, description="s: the task of rank k has probability ~ 1 / k^s")
    largest_batch: int = Field(ge=1, description="requests that are served at once at the most")
    limit_ms: float = Field(gt=0, description="within which 99 of 100 requests have to be answered")
    memory_limit_bytes: int = Field(ge=0, description="that tasks may fill, beside the base")
    requests: int = Field(ge=1, description="of one simulation")
    seed: int = Field(description="of arrivals and their tasks")
    simulated: tuple[Arrivals, ...]
    rehearsed: tuple[Rehearsed, ...] = Field(description="the check of the simulation against a real run")


class Energy(Part):
    """What a counter of the machine tells of requests served in batches of the largest size; no estimate."""

    source: Literal["nvml", "rapl"] = Field(description="of the accelerator, or of the processor's package")
    joules_per_1000_requests: dict[Way, float] = Field(description="by the way that batches are served")


class ServingRecord(Part):
    """What it costs to serve many tasks of one method from one base.

    Times of batches are interleaved: every way is timed in every round, in random order, and ratios are to
    the untouched base of the same round.
    """

    schema_version: Literal[1] = SERVING_SCHEMA_VERSION
    study: str = Field(description="the study that it is of; empty for one that was asked for alone")
    model: str = Field(description="as it was asked for: a hub id, a folder, or the name of an architecture")
    architecture: str = Field(description="transformers model type")
    weights: str = Field(description="`random`, or the revision as in a trial's record")
    base_parameters: int = Field(ge=0, description="of the model without a method")
    base_memory_bytes: int = Field(ge=0, description="of its parameters and buffers")
    dtype: str = Field(description="of all weights")
    label: str = Field(description="the method with the options that were given")
    method: str = Field(description="its name")
    options: dict[str, Any] = Field(description="the method's, all of them")
    phase: Literal["forward", "prefill"] = Field(
        description="`forward`: an encoder's whole pass; `prefill`: a causal model's pass up to the first "
        "new token's logits"
    )
    mix: Mix = Field(
        description="how rows draw their tasks: evenly, by Zipf's law with s = 1, or one for all"
    )
    task_parameters: int = Field(ge=0, description="of the method and the head of one task")
    task_tensor_bytes: int = Field(ge=0, description="of the same")
    task_disk_bytes: int = Field(ge=0, description="files of one saved task")
    merged_kept_bytes: int | None = Field(
        ge=0, description="the base's matrices kept beside merged ones; null where the method does not merge"
    )
    merged_switch: Took | None = Field(description="to a task in memory, merged before and after; or null")
    merged_switch_from_disk: Took | None = Field(description="the same to a task that is read first; or null")
    stored: tuple[Stored, ...] = Field(description="by the number of tasks")
    batches: tuple[ServedBatch, ...] = Field(description="short and small ones first")
    arrivals: ArrivalStudy | None = Field(description="null where none was asked for")
    energy: Energy | None = Field(description="null: not measured, where the machine does not tell it")
    width_asked: float = Field(gt=0, description="largest width of an interval, as a share of its ratio")
    seconds_limit: float = Field(gt=0, description="of each batch size, after which no further round began")
    seed: int = Field(description="of random weights, of tasks, inputs, draws and the order within a round")
    environment: Environment
    started_at: str = Field(description="ISO 8601, UTC")
