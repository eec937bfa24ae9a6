"""What people read: the result schema, tables, statistics, figures and the site.

Imports nothing of ours outside this package: runners write records, everything here reads them.
"""

from __future__ import annotations

from reports.catalogue import Catalogue
from reports.errors import RecordError
from reports.export import csv_table, markdown_scores, markdown_table
from reports.grid import Grid, make_grid
from reports.latency import read_latencies, write_latency
from reports.paired import paired_verdicts
from reports.pareto import pareto_front
from reports.records import read_record, read_records, write_record
from reports.schema import SCHEMA_VERSION, Record
from reports.site import build_site
from reports.statistics import mean_interval
from reports.table import compare, trials

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
    "paired_verdicts",
    "pareto_front",
    "read_latencies",
    "read_record",
    "read_records",
    "trials",
    "write_latency",
    "write_record",
]
