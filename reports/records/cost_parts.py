"""The parts of a record on what a method costs to train with and to use; see ``schema.py``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reports.records.part import Part


class Memory(Part):
    """Peak memory of a training step on the longest batch, and what it consists of at that moment."""

    peak_training_bytes: int = Field(ge=0, description="the most that was alive at once")
    parameters_bytes: int | None = Field(
        ge=0, description="weights of the model, trained or not, and buffers"
    )
    gradients_bytes: int | None = Field(
        ge=0, description="null in records of schema 1, like all of the split"
    )
    optimizer_bytes: int | None = Field(ge=0, description="state of the optimiser")
    activations_bytes: int | None = Field(ge=0, description="kept for the backward pass")
    temporary_bytes: int | None = Field(ge=0, description="everything else that was alive")
    peak_inference_bytes: int | None = Field(ge=0, description="of a forward pass on the same batch")
    best_weights_bytes: int | None = Field(
        default=None,
        ge=0,
        description="the copy of the best trained weights so far, on top of the peak; null before schema 5",
    )
    method: str = Field(description="how it was measured: `tensors` (CPU) or `cuda_allocator`")
    batch_size: int = Field(ge=1, description="of the batch that was measured")
    sequence_length: int | None = Field(ge=1, description="of that batch, padding included")


class LatencyRow(Part):
    """Inference time of one contender; its ratio is to the untouched base in the same rounds."""

    latency_ms_p50: float = Field(gt=0, description="median over rounds")
    latency_ms_p95: float = Field(gt=0, description="95th percentile over rounds")
    ratio: float = Field(gt=0, description="median over rounds of this contender's time / the base's time")
    ratio_low: float = Field(gt=0, description="lower end of its 95 % bootstrap interval over rounds")
    ratio_high: float = Field(gt=0, description="upper end of the same interval")


class Latency(Part):
    """Interleaved timing in one process; lengths are the user's tokens, prompts come on top."""

    batch_size: int = Field(ge=1, description="inputs of one call")
    sequence_length: int = Field(ge=1, description="of each input")
    rounds: int = Field(ge=1, description="in each of which every contender was timed once")
    base_ms_p50: float = Field(gt=0, description="median time of the untouched base")
    control: LatencyRow = Field(description="a second untouched base: its ratio must contain 1")
    unmerged: LatencyRow
    merged: LatencyRow | None = Field(description="null where the method does not merge")
    max_input_length: int | None = Field(description="user's tokens that fit; null: no limit, or schema 1")
    merge_logit_difference: float | None = Field(
        ge=0,
        description="largest logit difference that rounding makes on merging; null: no merging, schema 1, or "
        "measured when the trained weights were gone",
    )


class Pace(Part):
    """Time of one token that is written, batch 1; ratios are to the untouched base in the same rounds."""

    base_ms_p50: float = Field(gt=0, description="median time of the untouched base")
    control: LatencyRow = Field(description="a second untouched base: its ratio must contain 1")
    unmerged: LatencyRow
    merged: LatencyRow | None = Field(description="null where the method does not merge")
    rounds: int | None = Field(None, ge=1, description="null: those of the part, as the other kind of token")


class Decoding(Part):
    """Interleaved timing of a text that is written in one process, batch 1, of tokens that are given.

    Lengths are the user's tokens, and prompts of a method come on top. Every model writes as many tokens.
    """

    prompt_length: int = Field(ge=1, description="of the input that is read first")
    written_tokens: int = Field(ge=2, description="none of them ends the text")
    rounds: int = Field(ge=1, description="of the kind of token that took more of them")
    first_token: Pace = Field(description="the pass over the prompt, up to the logits of the first token")
    next_token: Pace = Field(description="of each token that follows, with the key/value cache")
    base_tokens_per_second: float = Field(gt=0, description="of the whole text, at the median times")
    tokens_per_second: float = Field(gt=0, description="the same with the method, unmerged")
    merged_tokens_per_second: float | None = Field(gt=0, description="null where the method does not merge")
    base_cache_bytes: int = Field(
        ge=1, description="the key/value cache of one text when its last token is written"
    )
    cache_bytes: int = Field(ge=1, description="the same with the method in it, unmerged")
    front_bytes: int = Field(
        ge=0, description="keys and values that the method keeps in front of all texts, once: a prefix's"
    )
    max_input_length: int | None = Field(description="user's tokens that fit; null: no limit")
    merge_logit_difference: float | None = Field(
        ge=0,
        description="largest logit difference that rounding makes on merging; null: no merging, or measured "
        "when the trained weights were gone",
    )


class Forgetting(Part):
    """What a model lost of what it could do: a measure of something else than the task, before and after.

    Both read the same; the method is active after. Of a causal model that writes it is the perplexity of
    general text, which rises; of one that classifies the accuracy, on another task, of a head that was fitted
    to the untouched base and is frozen, which falls.
    """

    measure: Literal["perplexity", "accuracy"] = Field(description="what is measured before and after")
    text: str = Field(description="which text: the name of a task, or of a file")
    text_sha256: str = Field(description="hash of what was read")
    texts: int = Field(ge=1, description="that were scored")
    tokens: int | None = Field(ge=1, description="predicted, of all texts; null for an accuracy")
    longest: int = Field(ge=2, description="tokens that were read of a text at most")
    before: float = Field(gt=0, description="of the untouched base")
    after: float = Field(ge=0, description="of the model with the trained method")
    ratio: float = Field(ge=0, description="after / before")
    ratio_low: float = Field(ge=0, description="lower end of its 95 % bootstrap interval over texts")
    ratio_high: float = Field(ge=0, description="upper end of the same interval")


class Compute(Part):
    """FLOPs, and the least time that FLOPs and bytes allow on this machine (the roofline)."""

    product_flops_per_second: float = Field(gt=0, description="of a large matrix product, measured here")
    bytes_per_second: float = Field(
        gt=0, description="of streaming as many bytes as the model reads, measured here"
    )
    forward_flops: int = Field(
        ge=0,
        description="of the input that latency is measured on; of a model that writes, up to its first token",
    )
    forward_floor_ms: float = Field(ge=0, description="the least time of that pass on this machine")
    training_step_flops: int = Field(ge=0, description="forward and backward pass of a mean batch")
    training_step_length: int = Field(ge=1, description="tokens an example of that batch, padding included")
    training_floor_seconds: float | None = Field(
        ge=0, description="of all steps; null where blocks were computed once and not in every step"
    )
    full_step_flops: int = Field(ge=0, description="the same batch with everything trained, without a method")


class Serving(Part):
    """What one more task costs on a base that serves many, and the time of a switch between two."""

    task_memory_bytes: int = Field(ge=0, description="tensors of the method and the head")
    shared_memory_bytes: int = Field(ge=0, description="what all tasks share, in memory once")
    kept_memory_bytes: int | None = Field(
        ge=0, description="the base's matrices kept beside merged ones; null where the method does not merge"
    )
    switch_ms_p50: float = Field(ge=0, description="to a task in memory")
    switch_from_disk_ms_p50: float = Field(ge=0, description="to a task that is read first")
    merged_switch_ms_p50: float | None = Field(
        ge=0, description="merged before and after; null: does not merge"
    )
    merged_switch_from_disk_ms_p50: float | None = Field(
        ge=0, description="merged before and after, to a task that is read first; null: does not merge"
    )
    load_model_ms_p50: float = Field(ge=0, description="loading a whole model instead")


class TrainingEnergy(Part):
    """What a counter of the machine told; nothing is estimated."""

    source: Literal["nvml", "rapl"] = Field(
        description="`nvml`: of the cards; `rapl`: of the processor's packages, with all that ran on them"
    )
    joules: float = Field(gt=0, description="of all steps and of loading between them, no evaluation")
