"""Another suite that measured a record, as an import would name it."""

from __future__ import annotations

from reports.records.schema import Suite


def suite(name: str, label: str = "a run") -> Suite:
    return Suite(
        name=name,
        url="https://example.org",
        experiment="e",
        label=label,
        status="done",
        notes=(),
        file_sha256="0",
        original={},
    )
