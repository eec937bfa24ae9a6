"""What a kind of study has no use for, of the options that are given with it."""

from __future__ import annotations

from collections.abc import Mapping

from runners.cli.options import processes


def check(kind: str, asked: Mapping[str, object]) -> None:
    """Refuse what a study of some kind has no use for.

    Raises:
        SpecError: one sentence.
    """
    from reports import text
    from runners.plan.errors import SpecError

    if kind == "latency" and processes() > 1:
        raise SpecError(
            f"a study of latency runs in one process, received {processes()}: start it without a launcher."
        )
    useless = {
        "latency": ("of latency trains nothing, and measures on an idle machine", tuple(asked)),
        "intrinsic": (
            "of intrinsic dimension chooses its trials by those before",
            ("--part", "--only", "--limit"),
        ),
    }
    why, names = useless.get(kind, ("", ()))
    if found := [name for name in names if asked[name]]:
        raise SpecError(f"a study {why}: leave out {text.listing(found)}.")
