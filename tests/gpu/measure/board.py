"""As much of the nine methods' board as fits: trials of rotten_tomatoes with costs, seed by seed.

Their records lie beside the document, ready for `paretune report`, and go on where a run was stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from runners.plan.study import Study, parse_study
from runners.work import checking
from runners.work.execute import How, run_study

from .document import Found, Item
from .sizes import Sizes
from .trials import told

NAME = "gpu-board"


def items(sizes: Sizes, folder: Path) -> Iterator[Item]:
    """One item a trial, the first seed of all methods first."""
    study = parse_study(
        {
            "name": NAME,
            "models": [sizes.trained],
            "tasks": ["rotten_tomatoes"],
            "methods": list(sizes.board_methods),
            "seeds": list(sizes.board_seeds),
            "protocol": dict(sizes.protocol),
            "costs": dict(sizes.costs),
        }
    )
    checking.check(study)
    for spec in study.specs:
        about = {"method": spec.method, "precision": spec.protocol.precision, "seed": str(spec.seed)}
        yield Item(about, partial(_trial, replace(study, specs=(spec,)), folder / NAME))


def _trial(study: Study, folder: Path) -> Found:
    how = How(say=lambda line: print(line, file=sys.stderr))
    (record,) = run_study(study, folder, [], how=how)
    return told(record, folder)
