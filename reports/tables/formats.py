"""Tables as CSV, JSON and Parquet, with foreign text made harmless in each."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd

from reports import text
from reports.records.origins import Origins
from reports.records.schema import Record
from reports.tables.comparison import compare


def csv_table(records: Sequence[Record], origins: Origins | None = None) -> str:
    """`compare(records)` as CSV with raw numbers."""
    return safe_csv(compare(records, origins))


def safe_csv(frame: pd.DataFrame) -> str:
    """A table as CSV; text that a spreadsheet would run as a formula gets a quote first."""
    frame = frame.copy()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].map(lambda value: _cell(value) if isinstance(value, str) else value)
    frame.columns = pd.Index([_cell(name) for name in frame.columns])
    return frame.to_csv(index=False, lineterminator="\n")


def json_table(frame: pd.DataFrame) -> str:
    """A table as a JSON list of objects with raw numbers; what is unknown is null."""
    return frame.to_json(orient="records", indent=1, double_precision=15) + "\n"


def parquet_table(frame: pd.DataFrame) -> bytes:
    """A table as Parquet with its types: ``pandas.read_parquet`` gives it back."""
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def _cell(foreign: str) -> str:
    """Text for a spreadsheet: a leading character that starts a formula is preceded by a quote."""
    line = text.clean(foreign, limit=2000)
    return f"'{line}" if line.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else line
