"""Results of the PEFT library's own comparison as records: `method_comparison/MetaMathQA/results/*.json`.

Source: huggingface/peft, `method_comparison/MetaMathQA` (`run.py` and `utils.py` write the files,
`processing.py` reads them). What they mean there and here:

* A missing file size is written as 99999999 and a missing forgetting as 123: both are null here.
* `success` is completed. Everything else, which they call `canceled` whatever happened, is out of memory
  where the message says so, and failed otherwise.
* `train_time` counts the test, and the optimiser steps alone are timed between two evaluations: training
  seconds are the sum of these where they cover the run.
* `accelerator_memory_max` is what the allocator reserved at its highest, evaluation included.
* `num_total_params` counts the base with the method in it: the base is the rest.
* The last weights are scored: no checkpoint is chosen.

The whole file stays in the record, under `suite.original`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from reports.errors import RecordError
from reports.records.bounds import parsed
from reports.records.checks import check_record
from reports.records.foreign import in_order, items, number, part, seconds_of, text_of, whole
from reports.records.identity import spec_hash
from reports.records.schema import SCHEMA_VERSION, Record, Status
from reports.records.store import first_fault

NAME: Final = "PEFT method_comparison"
STUDY: Final = "peft-method-comparison"
URL: Final = "https://github.com/huggingface/peft/tree/main/method_comparison/MetaMathQA"
PLACEHOLDERS: Final = (123, 99999999)
TEST, VALIDATION = "test accuracy", "valid accuracy"
DATA_KEYS: Final = ("metamath", "gsm8k")
METRICS: Final = (
    {"name": "accuracy", "higher_is_better": True, "unit": "fraction"},
    {"name": "forgetting", "higher_is_better": False, "unit": "nats"},
)
HOUSEKEEPING: Final = ("peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "peft_version")
"""Of a PEFT configuration: what does not decide the outcome. It stays in the original."""

NOTES: Final = (
    "Training time is that of the optimiser steps alone; their train_time also counts the test.",
    "Peak memory is what the allocator reserved over the whole run, evaluation included.",
    "No checkpoint is chosen: the last weights are scored. Forgetting is the rise of the loss on other text.",
)
WITHOUT_STEP_TIMES: Final = "Training time is their train_time, which also counts the test."
ESTIMATED_SIZE: Final = "The file size of full fine-tuning is their estimate from the number of parameters."


def read_peft_result(path: Path | str) -> Record:
    """Read one result file of the PEFT library's comparison.

    Raises:
        RecordError: it is none, or contradicts itself; one sentence with file and JSON path.
    """
    path = Path(path)
    try:
        data = parsed(path, constant=str)  # their writer lets NaN through; as text it is no number
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        record = Record.model_validate_json(json.dumps(_converted(data, digest)), strict=True)
        check_record(record)
    except ValidationError as error:
        raise RecordError(f"{path}: as a record, {first_fault(error)}.") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}.") from None
    return record


def latest(records: Sequence[Record]) -> list[Record]:
    """Of several runs of one experiment the most recent, as PEFT's own table keeps it; in order of names."""
    kept: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.started_at):
        kept[record.trial_id] = record
    return sorted(kept.values(), key=lambda record: record.suite.experiment if record.suite else "")


def _converted(data: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """The content of a record of the current schema version."""
    run, info, meta = (_part(data, name) for name in ("run_info", "train_info", "meta_info"))
    config = _part(run, "train_config", "$.run_info")
    sources = _part(meta, "dataset_info", "$.meta_info")
    if not set(DATA_KEYS) <= sources.keys():
        raise RecordError(
            f"$.meta_info.dataset_info lacks {' and '.join(DATA_KEYS)}: only that task is known"
        )
    experiment = text_of(run, "experiment_name", "$.run_info")
    spec = _spec(run, config, experiment, "-".join(DATA_KEYS))
    points = [point for point in items(info, "metrics") if isinstance(point, Mapping)]
    status, message = _status(info, run)
    tuned = run.get("peft_config")
    notes = list(NOTES)
    training = _training(info, points)
    if training and not training.pop("steps_timed"):
        notes[0] = WITHOUT_STEP_TIMES
    if tuned is None and _number(info.get("file_size")) is not None:
        notes.append(ESTIMATED_SIZE)
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": spec_hash(spec),
        "study": STUDY,
        "spec": spec,
        "status": status,
        "message": message,
        "model": {
            "name": spec["model"],
            "architecture": "unknown",
            "revision": _part(meta, "model_info", "$.meta_info").get("sha") or "unknown",
        },
        "task": _task(spec["task"], sources),
        "parameters": _parameters(info, tuned is None),
        "scores": _scores(points) if status == "completed" else None,
        "answers": None,
        "curve": _curve(points),
        "training": training,
        "memory": _memory(info, config),
        "checkpoint_bytes": _whole(info.get("file_size")),
        "latency": None,
        "compute": None,
        "serving": None,
        "tuning": None,
        "suite": {
            "name": NAME,
            "url": URL,
            "experiment": experiment,
            "label": _label(experiment, spec["model"]),
            "status": text_of(info, "status", "$.train_info"),
            "notes": notes,
            "file_sha256": digest,
            "original": data,
        },
        "environment": _environment(run, meta),
        "started_at": text_of(run, "created_at", "$.run_info"),
        "wall_seconds": seconds_of(run.get("total_time"), "$.run_info.total_time"),
    }


def _spec(run: Mapping[str, Any], config: Mapping[str, Any], experiment: str, task: str) -> dict[str, Any]:
    """What was run, in their words; sets, which their writer puts in any order, are sorted."""
    protocol = {key: value for key, value in config.items() if key not in ("model_id", "seed")}
    flat: dict[str, Any] = {}
    for key, value in protocol.items():
        flat |= (
            {f"{key}.{name}": inner for name, inner in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    options = {
        key: in_order(value)
        for key, value in (run.get("peft_config") or {}).items()
        if key not in HOUSEKEEPING and value not in (None, [], {})
    }
    return {
        "model": text_of(config, "model_id", "$.run_info.train_config"),
        "task": task,
        "data": None,
        "method": experiment.split("/", maxsplit=1)[0] or experiment,
        "options": options,
        "seed": config.get("seed"),
        "protocol": flat,
    }


def _task(name: str, sources: Mapping[str, Any]) -> dict[str, Any]:
    told = [
        f"{key}@{(sources[key] or {}).get('sha') or 'unknown'}"
        for key in DATA_KEYS
        if isinstance(sources[key] or {}, Mapping)
    ]
    return {
        "name": name,
        "version": 1,
        "main_metric": METRICS[0]["name"],
        "metrics": METRICS,
        "source": ", ".join(told),
        "license": "not stated",
        "sizes": {"train": None, "selection": None, "report": None},
        "dropped_train_examples": None,
        "data_sha256": None,
    }


def _parameters(info: Mapping[str, Any], full: bool) -> dict[str, Any] | None:
    """Trained scalars; a causal language model has no task head of its own."""
    trained, total = (whole(info.get(f"num_{kind}_params")) for kind in ("trainable", "total"))
    if trained is None or total is None:
        return None
    base = total if full else total - trained
    if base <= 0:
        raise RecordError(
            f"$.train_info.num_total_params is {total}, not more than the {trained} that are trained"
        )
    return {
        **{"base": base, "method": trained, "head": 0, "trainable": trained, "stored": None},
        "trainable_share": trained / base,
        "parts": {"all": trained},
    }


def _scores(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    final = points[-1] if points else {}
    last = next((point[VALIDATION] for point in reversed(points) if VALIDATION in point), None)
    return {
        "selection": {"accuracy": _number(last)},
        "report": {"accuracy": _number(final.get(TEST)), "forgetting": _number(final.get("forgetting"))},
        "majority": {},
        "best_step": whole(final.get("step")) or 0,
    }


def _curve(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "step": point.get("step"),
            "train_loss": _number(point.get("train loss")),
            "selection": {"accuracy": _number(point[VALIDATION])},
        }
        for point in points
        if VALIDATION in point
    ]


def _training(info: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The cost of training as far as it went; null where no evaluation was reached."""
    steps, examples = (
        max((whole(point.get(name)) or 0 for point in points), default=0)
        for name in ("step", "train samples")
    )
    parts = [point for point in points if VALIDATION in point]
    times = [_number(point.get("train time")) for point in parts]
    covered = bool(parts) and None not in times and parts[-1].get("step") == steps
    seconds = math.fsum(time or 0.0 for time in times) if covered else _number(info.get("train_time"))
    if not steps or seconds is None:
        return None
    return {
        **{"steps": steps, "examples": examples, "seconds": seconds, "padding_share": None},
        "examples_per_second": examples / seconds if seconds else 0.0,
        "evaluation_seconds": math.fsum(_number(point.get("eval time")) or 0.0 for point in parts),
        "steps_timed": covered,
    }


def _memory(info: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Their highest reservation; older files say `cuda` for `accelerator`."""
    peak = next(
        (
            found
            for kind in ("accelerator", "cuda")
            if (found := _whole(info.get(f"{kind}_memory_max"))) is not None
        ),
        None,
    )
    unknown = ("parameters", "gradients", "optimizer", "activations", "temporary", "peak_inference")
    return (
        None
        if peak is None
        else {
            "peak_training_bytes": peak,
            **{f"{name}_bytes": None for name in unknown},
            "method": "the accelerator's allocator, as reserved",
            "batch_size": config.get("batch_size"),
            "sequence_length": None,
        }
    )


def _environment(run: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    packages, system = (_part(meta, f"{name}_info", "$.meta_info") for name in ("package", "system"))
    versions = {
        key.removesuffix("-version"): str(value)
        for key, value in packages.items()
        if key.endswith("-version") and value
    }
    dirty = next(
        (
            part.get("peft_worktree_is_dirty")
            for part in (run, meta, packages)
            if isinstance(part.get("peft_worktree_is_dirty"), bool)
        ),
        None,
    )
    return {
        "paretune_version": None,
        "commit": packages.get("peft-commit-hash"),
        "tree_clean": None if dirty is None else not dirty,
        "python": None,
        "platform": f"{system.get('system', 'unknown')} {system.get('machine', '')}".strip(),
        "packages": versions,
        "device": "xpu" if "+xpu" in versions.get("torch", "") else "cuda",
        "device_name": str(system.get("accelerator") or system.get("gpu") or "unknown"),
        "processes": 1,
        "threads": None,
    }


def _status(info: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[Status, str | None]:
    told = text_of(info, "status", "$.train_info")
    if told == "success":
        return "completed", None
    message = " ".join(str(run.get("error_msg") or "").split())[:1000]
    memory = "out of memory" in message.lower()
    return "out_of_memory" if memory else "failed", f"{told}: {message or 'no message'}"


def _label(experiment: str, model: str) -> str:
    """The experiment's name without the model's, which all rows of a table share."""
    name = re.escape(model.rsplit("/", 1)[-1])
    short = re.sub(rf"(?<=/){name}-?", "", experiment, flags=re.IGNORECASE).strip("/")
    return short or experiment


def _number(value: Any) -> float | None:
    return number(value, PLACEHOLDERS)


def _whole(value: Any) -> int | None:
    return whole(value, PLACEHOLDERS)


def _part(data: Mapping[str, Any], name: str, path: str = "$") -> Mapping[str, Any]:
    return part(data, name, path, what="an object of PEFT's method_comparison")
