"""Which option has a meaning for which kind of study: one table, for ``paretune run`` and ``paretune plan``.

An option that a kind would pass over is refused, so that nobody waits for what will not come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import typer

from runners.cli.options import processes

TRIALS, TUNED, LATENCY, SERVING, INTRINSIC, CLAIM = (
    *("trials", "tuned", "latency", "serving"),
    *("intrinsic", "claim"),
)
KINDS: Final = (TRIALS, TUNED, LATENCY, SERVING, INTRINSIC, CLAIM)
"""Kinds of studies. One with a claim is of another kind as well, and takes what both take."""

_TRAINS = (TRIALS, TUNED, INTRINSIC, CLAIM)
_LISTED = (TRIALS, TUNED, CLAIM)
APPLIES: Final[Mapping[str, Collection[str]]] = {
    "--model": (TRIALS, TUNED),
    "--seeds": (TRIALS, TUNED),
    "--limit": (TRIALS, TUNED),
    "--only": _LISTED,
    "--part": _LISTED,
    "--wandb": _LISTED,
    "--data": _TRAINS,
    "--retry": _TRAINS,
    "--keep-models": _TRAINS,
    "--checkpoint-every": _TRAINS,
    "--workers": _TRAINS,
    "--executor": _TRAINS,
    "--address": _TRAINS,
    "--cpus-per-trial": _TRAINS,
    "--gpus-per-trial": _TRAINS,
    "--quick": _TRAINS,
    "--out": KINDS,
    "--dry-run": KINDS,
    "--json": KINDS,
}
"""By option, the kinds of studies that it says something to."""

WHY: Final = {
    LATENCY: "a study of latency trains nothing, and measures on an idle machine",
    SERVING: "a study of serving trains nothing, and measures on an idle machine",
    INTRINSIC: "a study of intrinsic dimension chooses its trials by those before",
    CLAIM: "a claim's rule was written for the trials of its study",
}

TYPED: Final = ("--task", "--method", "--steps", "--protocol", "--no-costs")
"""What describes a study where no file does; beside one they are refused (:mod:`runners.plan.typed`)."""


def kinds(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds that a study is of, by the content of its file."""
    kind = str(content.get("kind", TRIALS))
    if kind == TRIALS and content.get("tuning") is not None:
        kind = TUNED
    return (kind, CLAIM) if content.get("claim") is not None else (kind,)


def given(context: typer.Context) -> list[str]:
    """The options that were typed, by their long names."""
    found = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name) if parameter.name else None
        if source is not None and source.name == "COMMANDLINE" and parameter.param_type_name == "option":
            found.append(parameter.opts[0])
    return found


def check(content: Mapping[str, Any], options: Iterable[str]) -> None:
    """Refuse what a study has no use for.

    Args:
        content: of its file.
        options: what was typed, see :func:`given`.

    Raises:
        SpecError: one sentence.
    """
    from reports import text
    from runners.plan.errors import SpecError

    typed = list(options)
    for kind in kinds(content):
        if kind in (LATENCY, SERVING) and processes() > 1:
            raise SpecError(
                f"a study of {kind} runs in one process, received {processes()}: start it without a launcher."
            )
        useless = [option for option in typed if option in APPLIES and kind not in APPLIES[option]]
        if kind in KINDS and useless:
            raise SpecError(f"{WHY[kind]}: leave out {text.listing(useless)}.")
