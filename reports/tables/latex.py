"""The comparison for LaTeX, with foreign text made harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports import text
from reports.errors import RecordError
from reports.records.origins import Origins
from reports.records.schema import Record
from reports.stats.aggregate import Row
from reports.stats.pareto import Mark
from reports.stats.section import Section
from reports.stats.sections import sections

_HEADER = (
    "Trainable parameters",
    "Peak memory",
    "Training time",
    "Latency",
    "Latency, merged",
    "Checkpoint",
)
_MARKS: Mapping[Mark, str] = {
    "front": r"$^\bullet$",
    "not settled": r"$^\circ$",
    "dominated": "",
}
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{char: f"\\{char}" for char in "&%$#_"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "×": r"$\times$",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
    "≈": r"$\approx$",
}


def latex_table(records: Sequence[Record], origins: Origins | None = None) -> str:
    """The table of methods for the booktabs package, one ``table`` per model and task.

    Rows that are not ranked stand below a rule of their own.
    """
    found = sections(records, origins)
    if not found:
        raise RecordError("there are no records to make a table from.")
    return latex_sections(found)


def latex_sections(found: Sequence[Section]) -> str:
    """The same of records that are grouped already."""
    return "% \\usepackage{booktabs}\n" + "\n".join(_latex(section) for section in found)


def escape_latex(foreign: object, limit: int = 200) -> str:
    """Foreign text that LaTeX prints as itself, and never runs."""
    return "".join(_ESCAPED.get(char, char) for char in text.clean(foreign, limit))


def _latex(section: Section) -> str:
    metric = section.info.main_metric if section.info else "score"
    further = [f"{escape_latex(text.name(name))}, {escape_latex(metric)}" for name in section.further]
    header = ["Method", escape_latex(metric).capitalize(), *further, *_HEADER]
    split = "splits" if len(further) > 1 else "split"
    apart = [
        r"\midrule",
        rf"\multicolumn{{{len(header)}}}{{l}}{{Not ranked}} \\",
        *(_latex_cells(row, section) for row in section.apart),
    ]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape_latex(text.name(section.task))} on "
            rf"{escape_latex(section.where)}. "
            r"$\bullet$: on the Pareto front of score against trainable parameters in at least 95\,\% of "
            r"resamples of the seeds, $\circ$: perhaps."
            + (" Latency: of each token behind the first of a text." if _writes(section) else "")
            + (f" Further report {split}: other examples, in no rank." if further else "")
            + "}",
            r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}",
            r"\toprule",
            rf"{' & '.join(header)} \\",
            r"\midrule",
            *(_latex_cells(row, section) for row in section.rows),
            *(apart if section.apart else []),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _writes(section: Section) -> bool:
    return any(row.decoding for row in section.every_row)


def _latex_cells(row: Row, section: Section) -> str:
    cells = (
        text.outcome(row),
        *(text.spread(one) if one else text.MISSING for one in section.further_scores(row)),
        text.count(row.trainable_parameters),
        text.size(row.peak_training_bytes),
        text.training_time(row),
        text.ratio(row.slower),
        text.ratio(row.slower_merged),
        text.size(row.checkpoint_bytes),
    )
    label = escape_latex(row.label) + _MARKS[row.mark]
    return rf"{' & '.join([label, *map(escape_latex, cells)])} \\"
