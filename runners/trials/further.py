"""The last stage of scoring: further report splits, each scored once by the weights that are reported.

They decide nothing: no checkpoint, no rank, no floor. A trial of a search does not read them.
"""

from __future__ import annotations

from collections.abc import Mapping

from reports.records.schema import FurtherReport
from runners.trials.kind import Kind
from tasks.further import Further


def report(kind: Kind, splits: Mapping[str, Further]) -> dict[str, FurtherReport]:
    """Score the further report splits of a trial.

    Args:
        kind: the trial's rows and its trained model.
        splits: what its data have of such, by name.
    """
    found = {}
    for name, split in splits.items():
        said = kind.report(name)
        found[name] = FurtherReport(
            examples=said.rows,
            left_out=split.left_out,
            truncated=said.cut,
            data_sha256=split.sha256,
            scores=said.score,
            majority=said.majority,
            answers=said.answers,
        )
    return found
