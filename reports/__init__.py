"""What people read: the result schema, tables, statistics, figures and the site.

Imports nothing of ours outside this package: runners write records, everything here reads them.
Ground floor: `text`, `errors`, `yaml_text`.
"""

from __future__ import annotations

from reports.errors import RecordError
from reports.records.latency_files import read_latencies, write_latency
from reports.records.schema import SCHEMA_VERSION, Record
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
    "trials",
    "verdicts",
    "write_latency",
    "write_record",
]
