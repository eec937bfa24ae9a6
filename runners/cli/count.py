"""``paretune count``: a method's parameters on any model."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from runners.cli.options import Json, out, table


def count(
    model: Annotated[
        str, typer.Argument(help="A hub id, folder, config.json, `embedded`, or e.g. `gpt3-175b`.")
    ],
    method: Annotated[str, typer.Argument(help="A method, see `paretune methods`.")],
    options: Annotated[
        list[str] | None, typer.Argument(help="Options as KEY=VALUE.", metavar="[KEY=VALUE]...")
    ] = None,
    labels: Annotated[int, typer.Option(min=1, help="Outputs of the task head.")] = 2,
    json_: Json = False,
) -> None:
    """Count a method's parameters on any model, without loading weights.

    Some published architectures are known by name and need no download: bert-base, bert-large, roberta-base,
    roberta-large, deberta-v2-xxlarge, gpt2, gpt2-medium, gpt2-large, gpt2-xl, gpt3-175b, gpt-oss-20b and
    mixtral-8x7b.
    """
    import methods
    from runners.measure import counting
    from runners.plan.contenders import parse_options

    methods.get(method)
    chosen, found = counting.count(model, method, parse_options(options or []), labels)
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
    rows = [("base", found.base), (method, found.method)]
    rows += [(f"  {part}", size) for part, size in found.parts.items() if len(found.parts) > 1]
    rows += [("  kept in a checkpoint", found.stored)] if found.stored != found.method else []
    rows += [("task head", found.head), ("trainable", trainable)]
    for name, size in rows:
        shown.add_row(name, f"{size:,}", f"{size / found.base:.4%}")
    out.print(shown)
