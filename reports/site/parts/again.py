"""What repeats a trial, or all seeds of a row: a study of it alone, and the command."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from reports.records.identity import identity
from reports.records.schema import Record
from reports.stats.aggregate import Row


def again(row: Row) -> str:
    """The command that repeats every seed of a row; its study is one line of ASCII."""
    seeds = sorted(identity(record).seed for record in row.records)
    study = study_file(row.records[0], seeds)
    return f"cat > again.yaml <<'END'\n{study}\nEND\nparetune run again.yaml --out again\n"


def study_file(record: Record, seeds: Sequence[int] = ()) -> str:
    """A study of this trial alone, on one line: JSON, which is YAML; only ASCII, whatever the record says.

    With ``seeds`` it is of the same setting with each of them.
    """
    which = identity(record)
    protocol = dict(record.spec["protocol"])
    if protocol.get("steps") is not None:
        protocol.pop("epochs", None)  # the steps decide, and a study may not state both
    study = {
        "name": f"again-{re.sub('[^0-9a-f]', '', record.trial_id)[:12]}",
        "models": [which.model],
        "tasks": [_task(which.task, record)],
        "methods": [{"method": which.method, "options": dict(which.options), "protocol": protocol}],
        "seeds": list(seeds) or [which.seed],
    }
    return json.dumps(study, ensure_ascii=True)


def _task(name: str, record: Record) -> Any:
    """A task as a study names it; of a user's own data the record tells all but where the files lie."""
    own = record.spec.get("own")
    if not isinstance(own, dict):
        return name
    told: dict[str, Any] = {"name": name, "train": "TRAINING-FILE", "report": "REPORT-FILE"}
    if further := own.get("further"):
        told["report"] = {"main": "REPORT-FILE", **{split: f"FILE-OF-{split}" for split in further}}
    named = "target" if own.get("problem") == "generation" else "label"
    told |= {"text": own.get("text"), named: own.get("label")}
    told |= {key: own[key] for key in ("problem", "labels", "template") if own.get(key)}
    metrics, labels = own.get("metrics") or [], own.get("labels") or []
    if "f1" in metrics and len(labels) > 1:
        told["positive"] = labels[1]
    return {**told, "metric": metrics}
