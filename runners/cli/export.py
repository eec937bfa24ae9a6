"""``paretune export``: a trained method for another library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runners.cli import complete
from runners.cli.options import Json, say

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that `save()` of a trained method made.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="The library that shall read it: peft.",
            autocompletion=complete.words("peft"),
        ),
    ] = "peft",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Its base: hub id, folder or `embedded`.",
            show_default="what it was trained on",
            autocompletion=complete.models,
        ),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="To write.", show_default="CHECKPOINT/FORMAT"),
    ] = None,
    json_: Json = False,
) -> None:
    """Write a trained method for another library; of its base only the configuration is read."""
    import methods
    from methods.errors import nearest
    from runners.plan.errors import SpecError

    writers = {"peft": methods.export_peft}
    if format_ not in writers:
        raise SpecError(f"there is no format {format_!r}; {nearest(format_, writers)}.")
    saved = methods.Checkpoint.read(checkpoint)
    base = model or saved.model.get("name")
    if base is None:
        raise SpecError(f"{checkpoint} does not say what it was trained on: give its base with --model.")
    from runners import models

    skeleton = models.skeleton(base, saved.model.get("num_labels", 2), saved.model.get("class"))
    folder = writers[format_](skeleton, saved, out_dir or checkpoint / format_)
    files = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    if json_:
        print(json.dumps({"folder": str(folder), "base": base, "bytes": files}))
    else:
        print(folder)
        say(f"Its base, for peft: {_loading(skeleton)}.")


def _loading(model: PreTrainedModel) -> str:
    """The call that makes a base for a folder of peft, which holds nothing of the base's configuration.

    Without its problem type, pipelines of transformers take what is regressed for a probability.
    """
    kind, labels = type(model).__name__, model.config.num_labels
    arguments = [repr(model.config._name_or_path)]
    if kind.endswith("Classification"):
        arguments.append(f"num_labels={labels}")
    if kind.endswith("SequenceClassification") and labels == 1:
        arguments.append("problem_type='regression'")
    return f"{kind}.from_pretrained({', '.join(arguments)})"
