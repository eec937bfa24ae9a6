"""``paretune count``: a method's parameters on any model."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from runners.cli import complete
from runners.cli.options import Json, Options, Size, out, table


def count(
    model: Size,
    method: Annotated[
        str,
        typer.Argument(
            help="NAME or NAME:KEY=VALUE,..; see `paretune methods`.", autocompletion=complete.methods
        ),
    ],
    options: Options = None,
    labels: Annotated[int, typer.Option(metavar="N", min=1, help="Outputs of the task head.")] = 2,
    json_: Json = False,
) -> None:
    """Count a method's parameters on any model, without loading weights.

    Some published architectures are known by name and need no download: bert-base, bert-large, roberta-base,
    roberta-large, deberta-v2-xxlarge, gpt2, gpt2-medium, gpt2-large, gpt2-xl, gpt3-175b, gpt-oss-20b and
    mixtral-8x7b.
    """
    from runners.measure import counting
    from runners.plan.contenders import parse_contender

    asked = parse_contender(method, options or ())
    chosen, found = counting.count(model, asked.method, dict(asked.options), labels)
    trainable = found.method + found.head
    if json_:
        result = {
            "model": model,
            "options": chosen.model_dump(mode="json"),
            "base": found.base,
            "method": found.method,
            "head": found.head,
            "trainable": trainable,
            "parts": found.parts,
            "stored": found.stored,
            "trainable_share": found.method / found.base,
        }
        print(json.dumps(result))
        return
    shown = table("", "parameters", "of the base")
    rows = [("base", found.base), (asked.method, found.method)]
    rows += [(f"  {part}", size) for part, size in found.parts.items() if len(found.parts) > 1]
    rows += [("  kept in a checkpoint", found.stored)] if found.stored != found.method else []
    rows += [("task head", found.head), ("trainable", trainable)]
    for name, size in rows:
        shown.add_row(name, f"{size:,}", f"{size / found.base:.4%}")
    out.print(shown)
