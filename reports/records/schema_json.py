"""The format of the files as JSON Schema, made from the models that read them: one truth, two languages.

A site publishes it beside its records, and the documentation lists its fields. What a schema cannot say, such
as sums that must hold, `paretune validate` checks.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from reports.records.latency_schema import LATENCY_SCHEMA_VERSION, LatencyRecord
from reports.records.schema import SCHEMA_VERSION, Record
from reports.records.serving_schema import SERVING_SCHEMA_VERSION, ServingRecord

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def record_schema() -> dict[str, Any]:
    """JSON Schema of a trial's record in the current version; older files are brought up to it when read."""
    return model_schema(Record, f"record:{SCHEMA_VERSION}")


def latency_schema() -> dict[str, Any]:
    """JSON Schema of a latency comparison (`*.latency.json`) in the current version."""
    return model_schema(LatencyRecord, f"latency:{LATENCY_SCHEMA_VERSION}")


def serving_schema() -> dict[str, Any]:
    """JSON Schema of a record of serving many tasks (`*.serving.json`) in the current version."""
    return model_schema(ServingRecord, f"serving:{SERVING_SCHEMA_VERSION}")


def model_schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    """JSON Schema of what a model reads; ``name`` ends its identifier, which names no host."""
    return {"$schema": DIALECT, "$id": f"urn:paretune:{name}", **model.model_json_schema(mode="validation")}
