"""The format of the records: every field with type, unit and meaning, from the models themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docs.builder.markdown import cell, table
from reports.records.schema_json import latency_schema, record_schema, serving_schema

RECORD, LATENCY = "schemas/record.schema.json", "schemas/latency.schema.json"
SERVING = "schemas/serving.schema.json"
UNITS = (
    (r"_bytes$|_bytes_", "bytes"),
    (r"(^|_)ms(_p\d+|_low|_high)?$", "milliseconds"),
    (r"bytes_per_second$", "bytes / second"),
    (r"flops_per_second$", "FLOPs / second"),
    (r"examples_per_second$", "examples / second"),
    (r"tokens_per_second$", "tokens / second"),
    (r"rate_per_second$", "requests / second"),
    (r"seconds(_limit)?$", "seconds"),
    (r"flops$", "FLOPs"),
    (r"_share$|^ratio(_low|_high)?$|^width_asked$|^widest$", "ratio"),
    (r"steps?$|^resumed_at$|^rungs$", "steps"),
    (r"_length$|(^|_)tokens$|^longest$", "tokens"),
    (r"(^|_)examples$", "examples"),
    (r"batch_size$", "examples"),
    (r"(^|_)logit_difference$|^mixed_difference$", "logits"),
)
"""What the end of a field's name says of its unit; the first that fits."""


def files() -> dict[str, Any]:
    """The schemas as JSON Schema, by their paths."""
    return {RECORD: record_schema(), LATENCY: latency_schema(), SERVING: serving_schema()}


def page() -> str:
    """The page."""
    record, latency, serving = record_schema(), latency_schema(), serving_schema()
    known: set[str] = set()
    parts = [
        *_parts(record, "Record", known),
        *_parts(latency, "LatencyRecord", known),
        *_parts(serving, "ServingRecord", known),
    ]
    return f"""# The record

One JSON file for each trial, one for each latency comparison, and one for each method of which many tasks
were served from one base. A trial's has what is needed to repeat it: the resolved specification, the curve,
the scores, the costs, a hash of the data, the model's revision, versions, commit and device. A number that
was not measured is `null`, never a placeholder. Older versions of the format are brought up to date when they
are read; a newer one is refused.

As JSON Schema, for programs in any language: [record.schema.json]({RECORD}) (version
{record["properties"]["schema_version"]["const"]}), [latency.schema.json]({LATENCY}) (version
{latency["properties"]["schema_version"]["const"]}) and [serving.schema.json]({SERVING}) (version
{serving["properties"]["schema_version"]["const"]}). What a schema cannot say, such as sums that must hold and
the hash of the specification, `paretune validate` checks:

```console
$ paretune validate results/mine
```

In Python `reports.read_record(path)` returns a [`Record`](api/reports.md#reports.records.schema.Record), with
the fields below as attributes.

{chr(10).join(parts)}
"""


def unit(name: str) -> str:
    """The unit that a field's name tells; empty where it has none."""
    return next((word for pattern, word in UNITS if re.search(pattern, name)), "")


def _parts(schema: dict[str, Any], name: str, known: set[str]) -> Iterator[str]:
    """A section for a model and for all that its fields consist of, each once."""
    waiting = [(name, schema)]
    while waiting:
        title, part = waiting.pop(0)
        if title in known:
            continue
        known.add(title)
        told = " ".join((part.get("description") or "").split())
        rows = []
        for field, told_of in part["properties"].items():
            kind, inside = _kind(told_of)
            waiting += [(other, schema["$defs"][other]) for other in inside]
            links = (
                re.sub(r"\b([A-Z]\w+)\b", lambda m: f"[{m[1]}](#{m[1].lower()})", kind) if inside else kind
            )
            meaning = _meaning(field, told_of, [schema["$defs"][other] for other in inside])
            rows.append([f"`{field}`", links, unit(field) if _is_number(kind) else "", cell(meaning)])
        yield f"\n## {title}\n\n{told}\n\n{table(['field', 'type', 'unit', 'meaning'], rows)}"


def _meaning(field: str, told: dict[str, Any], inside: list[dict[str, Any]]) -> str:
    """What a field is, by its own words, else by those of what it consists of."""
    if field == "schema_version":
        return "the version of the format"
    own = told.get("description")
    return str(own or next((part.get("description", "").partition("\n")[0] for part in inside), ""))


def _is_number(kind: str) -> bool:
    return bool(re.match(r"(list of )?(whole )?number", kind))


def _kind(told: dict[str, Any]) -> tuple[str, list[str]]:  # noqa: PLR0911 (a kind a line)
    """The type of a field in words, and the models in it."""
    if "$ref" in told:
        name = told["$ref"].rsplit("/", maxsplit=1)[-1]
        return name, [name]
    if "const" in told:
        return f"`{told['const']}`", []
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"]), []
    if "anyOf" in told:
        kinds = [_kind(one) for one in told["anyOf"]]
        return " or ".join(kind for kind, _ in kinds), [name for _, inside in kinds for name in inside]
    if told.get("type") == "array":
        kind, inside = _kind(told["items"])
        return f"list of {kind}", inside
    if told.get("type") == "object":
        more = told.get("additionalProperties")
        kind, inside = _kind(more) if isinstance(more, dict) else ("anything", [])
        return f"mapping to {kind}", inside
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "yes or no"}
    return names.get(str(told.get("type")), str(told.get("type") or "anything")), []
