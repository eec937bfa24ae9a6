"""``paretune validate``: can a leaderboard take these records?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runners.cli.options import Json

if TYPE_CHECKING:
    from reports.records.validate import Checked, Findings


def validate(
    records: Annotated[list[Path], typer.Argument(help="Record files, or folders of them.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Cautions count as faults: every record must be ranked.")
    ] = False,
    json_: Json = False,
) -> None:
    """Check records: types, units, ranges, arithmetic, hash, counts in closed form, complete cells.

    One sentence per fault, with its JSON path; exit code 1 where there is any. A caution leaves a record
    valid, but not ranked. Nothing is downloaded and no field of a record is opened as a file.
    """
    from reports.records.validate import validate as check
    from reports.stats.completeness import together as beside_each_other
    from runners.share.validation import against_the_code

    checked = check(records, further=[against_the_code])
    together = beside_each_other(checked)
    if json_:
        print(json.dumps(_as_json(checked, together)))
    else:
        _show(checked, together)
    found = [*checked, together]
    if any(one.faults or (strict and one.cautions) for one in found):
        raise typer.Exit(1)


def _as_json(checked: list[Checked], together: Findings) -> dict[str, object]:
    return {
        "valid": not any(one.faults for one in [*checked, together]),
        "records": [
            {
                "file": one.file,
                "kind": one.kind,
                "trial_id": one.record.trial_id if one.record else None,
                "faults": one.faults,
                "cautions": one.cautions,
                "skipped": one.skipped,
            }
            for one in checked
        ],
        "together": {"faults": together.faults, "cautions": together.cautions},
    }


def _show(checked: list[Checked], together: Findings) -> None:
    """Plain lines, which a log or `grep` takes as well; foreign text has no control characters in them."""
    from reports import text

    for where, found in [*((text.clean(one.file, 500), one) for one in checked), ("all records", together)]:
        for word, sentences in (
            ("fault", found.faults),
            ("caution", found.cautions),
            ("not checked", found.skipped),
        ):
            for sentence in dict.fromkeys(sentences):
                print(f"{where}: {word}: {text.clean(sentence, 500)}.")
    faulty = sum(bool(one.faults) for one in checked)
    cautions = sum(len(one.cautions) for one in [*checked, together])
    print(
        f"{text.plural(len(checked), 'record')}: {len(checked) - faulty} valid, {faulty} with faults"
        f"{', the valid ones contradict each other' if together.faults else ''}, "
        f"{text.plural(cautions, 'caution')}."
    )
