"""What people read: the result schema, tables, statistics, figures and the site.

Imports nothing of ours outside this package: runners write records, everything here reads them.
Ground floor: `text`, `errors`, `yaml_text`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reports.errors import RecordError

if TYPE_CHECKING:
    from reports.records.latency_files import read_latencies, write_latency
    from reports.records.schema import SCHEMA_VERSION, Record
    from reports.records.serving_files import read_servings, write_serving
    from reports.records.store import read_record, read_records, write_record
    from reports.site.build import build_site
    from reports.site.parts.catalogue import Catalogue
    from reports.stats.estimate import mean_interval
    from reports.stats.grid import Grid, make_grid
    from reports.stats.pareto import pareto_front
    from reports.stats.verdict import verdicts
    from reports.tables.comparison import compare, trials
    from reports.tables.formats import csv_table
    from reports.tables.markdown import markdown_scores, markdown_table
else:
    _LATER = {
        "reports.records.latency_files": ("read_latencies", "write_latency"),
        "reports.records.schema": ("SCHEMA_VERSION", "Record"),
        "reports.records.serving_files": ("read_servings", "write_serving"),
        "reports.records.store": ("read_record", "read_records", "write_record"),
        "reports.site.build": ("build_site",),
        "reports.site.parts.catalogue": ("Catalogue",),
        "reports.stats.estimate": ("mean_interval",),
        "reports.stats.grid": ("Grid", "make_grid"),
        "reports.stats.pareto": ("pareto_front",),
        "reports.stats.verdict": ("verdicts",),
        "reports.tables.comparison": ("compare", "trials"),
        "reports.tables.formats": ("csv_table",),
        "reports.tables.markdown": ("markdown_scores", "markdown_table"),
    }
    _HOMES = {name: module for module, names in _LATER.items() for name in names}

    def __getattr__(name: str) -> Any:
        """Import a name when it is first asked for: pandas takes a second."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(importlib.import_module(_HOMES[name]), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})


__all__ = [
    "SCHEMA_VERSION",
    "Catalogue",
    "Grid",
    "Record",
    "RecordError",
    "build_site",
    "compare",
    "csv_table",
    "make_grid",
    "markdown_scores",
    "markdown_table",
    "mean_interval",
    "pareto_front",
    "read_latencies",
    "read_record",
    "read_records",
    "read_servings",
    "trials",
    "verdicts",
    "write_latency",
    "write_record",
    "write_serving",
]
