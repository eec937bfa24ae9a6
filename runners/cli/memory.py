"""``paretune memory``: what methods need on a model, measured or predicted."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from runners.cli import complete
from runners.cli.options import DTYPES, METHOD, Dtype, Json, Options, Size, err, out, table

if TYPE_CHECKING:
    from runners.measure.footprint import Footprint, Setting, Source, Workbench
    from runners.plan.contenders import Choice

COLUMNS = {
    "parameters_bytes": "para-\nmeters",
    "gradients_bytes": "gradi-\nents",
    "optimizer_bytes": "optim.\nstate",
    "activations_bytes": "acti-\nvations",
    "temporary_bytes": "tempo-\nrary",
    "peak_training_bytes": "train.\npeak",
    "peak_inference_bytes": "infer.\npeak",
    "checkpoint_bytes": "check-\npoint",
    "best_weights_bytes": "best\nweights",
}


def memory(
    model: Size,
    options: Options = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", metavar="METHOD", help=METHOD, show_default="all", autocompletion=complete.methods
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Rows of the batch.")] = 32,
    length: Annotated[int, typer.Option("--length", metavar="N", min=1, help="Tokens in each row.")] = 128,
    predict: Annotated[
        bool, typer.Option("--predict", help="Predict from the configuration, without the memory.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure, also beside --predict; without it, this is done.")
    ] = False,
    dtype: Dtype = "float32",
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The head and its loss: classification, language-modeling or token-classification.",
            show_default="what a trial has",
            autocompletion=complete.words("classification", "language-modeling", "token-classification"),
        ),
    ] = None,
    labels: Annotated[int, typer.Option(metavar="N", min=2, help="Classes of a classifier.")] = 2,
    precision: Annotated[
        str,
        typer.Option(
            metavar="DTYPE",
            help="Of a trial's computation: float32, bfloat16 or float16.",
            autocompletion=complete.words(*DTYPES),
        ),
    ] = "float32",
    base_dtype: Annotated[
        str,
        typer.Option(
            metavar="DTYPE",
            help="Of what a trial keeps frozen: float32 or bfloat16.",
            autocompletion=complete.words("float32", "bfloat16"),
        ),
    ] = "float32",
    quantization: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Of a trial's frozen linear layers: nf4 or int8.",
            show_default="none",
            autocompletion=complete.words("nf4", "int8"),
        ),
    ] = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Rows that are computed at once.", show_default="the batch"),
    ] = None,
    checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Compute the blocks again in the backward pass.")
    ] = False,
    attention: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="eager or sdpa.",
            show_default="as the model chooses",
            autocompletion=complete.words("eager", "sdpa"),
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Show the peak memory of training with each method, by kind, and of inference.

    The steps are those of a trial: forward, backward, clipping, AdamW. Weights are random, as no byte depends
    on their values: nothing but the configuration is read. --predict runs the same steps on tensors that
    have no memory, so that it works for any size.
    """
    import methods
    from runners.known import location
    from runners.plan.contenders import Choice, parse_contenders
    from runners.plan.errors import SpecError
    from runners.plan.spec import Protocol

    stated: dict[str, Any] = {"precision": precision, "base_dtype": base_dtype}
    stated |= {"quantization": quantization, "gradient_checkpointing": checkpointing, "attention": attention}
    stored = Protocol.parse(stated).numerics
    location(model)
    choices = parse_contenders(method or (), options or ())
    from runners.measure.footprint import Setting, Workbench

    asked = Setting(model, batch, length, dtype, objective, labels, stored, micro_batch)
    sources: list[Source] = ["measured"] if measure or not predict else []
    sources += ["predicted"] if predict else []
    rows: dict[str, dict[Source, Footprint]] = {}
    unfit: dict[str, str] = {}
    benches = {source: Workbench(asked, source) for source in sources}
    for choice in choices or [Choice(name, name, {}) for name in methods.names()]:
        try:
            rows[choice.label] = _of(choice, benches)
        except (methods.MethodError, SpecError) as error:
            if choices:
                raise
            unfit[choice.label] = str(error)
    task = benches[sources[0]].task
    if json_:
        found = [{"method": label, **_row(row)} for label, row in rows.items()]
        settings = asdict(asked)
        settings |= settings.pop("stored")
        print(json.dumps({**settings, "objective": task, "methods": found, "unfit": unfit}))
        return
    updates = sorted({footprint.optimizer for row in rows.values() for footprint in row.values()})
    parts = [model, f"{batch} x {length} tokens", dtype, *_differing(asked), task]
    parts += [f"{' or '.join(updates)} AdamW"] if updates else []
    out.print(", ".join(parts), highlight=False, markup=False)
    _show(rows)
    for label, reason in unfit.items():
        out.print(f"{label}: {reason}", style="dim", highlight=False, markup=False)


def _differing(asked: Setting) -> list[str]:
    """What is said of the setting beside its sizes, in words."""
    found = [f"{name} {value}" for name, value in vars(asked.stored).items() if value not in (None, False)]
    found = [
        words.replace("_", " ").removesuffix(" True") for words in found if not words.endswith("float32")
    ]
    return found + ([f"micro batch {asked.micro_batch}"] if asked.micro_batch else [])


def _of(choice: Choice, benches: dict[Source, Workbench]) -> dict[Source, Footprint]:
    found: dict[Source, Footprint] = {}
    for source, bench in benches.items():
        with err.status(f"{choice.label}, {source} ..."):
            found[source] = bench.footprint(choice.method, choice.options)
    return found


def _deviation(row: dict[Source, Footprint], field: str) -> float | None:
    """How far the prediction is above the measurement, as a share of it; None unless there are both."""
    if len(row) < 2:
        return None
    measured: int = getattr(row["measured"], field)
    return float(getattr(row["predicted"], field) / measured - 1)


def _row(row: dict[Source, Footprint]) -> dict[str, Any]:
    return {
        **{source: asdict(footprint) for source, footprint in row.items()},
        "training_deviation": _deviation(row, "peak_training_bytes"),
        "inference_deviation": _deviation(row, "peak_inference_bytes"),
    }


def _show(rows: dict[str, dict[Source, Footprint]]) -> None:
    """Print a table of what was measured, one of what was predicted, and how far apart the two are."""
    sources = list(dict.fromkeys(source for row in rows.values() for source in row))
    for source in sources:
        if len(sources) > 1:
            out.print(source, style="bold")
        out.print(_table({label: row[source] for label, row in rows.items() if source in row}))
    apart = {label: _deviation(row, "peak_training_bytes") for label, row in rows.items()}
    told = [f"{label} {share:+.2%}" for label, share in apart.items() if share is not None]
    if told:
        out.print(f"Training peak, predicted beside measured: {', '.join(told)}.", highlight=False)


def _table(footprints: dict[str, Footprint]) -> Table:
    """A line for each method."""
    from reports import text

    made = table("method", numbers=COLUMNS.values())
    for label, footprint in footprints.items():
        made.add_row(label, *(text.size(getattr(footprint, field)) for field in COLUMNS))
    return made
