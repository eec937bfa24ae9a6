"""``paretune latency``: methods side by side on one model, and studies of the same kind."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from runners.cli import complete
from runners.cli.options import (
    DTYPES,
    METHOD,
    Dtype,
    Json,
    Lengths,
    Options,
    Threads,
    Width,
    err,
    numbers,
    out,
    table,
)
from runners.cli.outcome import noting

if TYPE_CHECKING:
    from reports.records.latency_schema import LatencyRecord
    from runners.work.latency_study import LatencyStudy


def latency(
    model: Annotated[
        str,
        typer.Argument(
            help="A hub id, folder, `embedded`, or a known size such as `gpt2-medium`.",
            autocompletion=complete.sizes,
        ),
    ],
    options: Options = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help=METHOD,
            show_default="all that cost time",
            autocompletion=complete.methods,
        ),
    ] = None,
    batch: Annotated[
        str, typer.Option("--batch", metavar="N,N,..", help="Batch sizes, such as 1,2,8.")
    ] = "1",
    length: Lengths = "16,128",
    decode: Annotated[
        int | None,
        typer.Option(
            "--decode",
            metavar="N",
            min=1,
            help="Also time so many further tokens (causal models).",
            show_default="none",
        ),
    ] = None,
    width: Width = 0.01,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", min=0.1, help="Time limit of each input.")
    ] = 60.0,
    dtype: Dtype = "float32",
    threads: Threads = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Of weights, inputs and their order.")
    ] = 0,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Keep the comparisons here, for `paretune report`.",
            show_default="nothing is kept",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Time methods beside the untouched base, interleaved, until the ratios are precise.

    Lengths are the user's tokens; what a method adds comes on top. The base takes part twice: when its
    ratio to itself is not 1, the numbers of that run cannot be trusted.
    """
    from runners.known import location
    from runners.plan.contenders import contenders, parse_contenders

    if dtype not in DTYPES:
        raise _spec_error(f"received the dtype {dtype!r}, expected one of {', '.join(DTYPES)}.")
    batches, lengths = numbers(batch, "--batch"), numbers(length, "--length")
    location(model)
    choices = parse_contenders(method or (), options or ())
    import torch

    from reports import write_latency
    from runners.measure.comparison import Comparison
    from runners.work import shelf

    if threads is not None:
        torch.set_num_threads(threads)
    records = []
    with shelf.sole_owner(out_dir) if out_dir is not None else nullcontext():
        with err.status("Building the models ..."):
            choices = choices or contenders(model, None)
            comparison = Comparison(model, choices, dtype=getattr(torch, dtype), seed=seed)
            cells = comparison.cells(batches, lengths, decode)
        for cell in cells:
            with err.status(f"{cell} ...") as status:
                record = comparison.measure(
                    cell,
                    width=width,
                    seconds=seconds,
                    watch=lambda rounds, widest, cell=cell, status=status: status.update(  # type: ignore[misc]
                        f"{cell}: {rounds} rounds, widest interval {widest:.1%}"
                    ),
                )
            records.append(record)
            if out_dir is not None:
                write_latency(record, out_dir)
            if not json_:
                show(record)
    if json_:
        print(json.dumps([record.model_dump(mode="json") for record in records]))


def run_study(study: LatencyStudy, folder: Path, json_: bool) -> bool:
    """Run a study of latency and print its tables; return whether every input could be measured."""
    from runners.work import latency_study, shelf

    left_out: list[str] = []
    with shelf.sole_owner(folder, len(study.cells)), err.status(f"{study.title} ...") as status:
        records = latency_study.run(
            study,
            folder,
            say=noting(left_out),
            watch=lambda cell, rounds, widest: status.update(
                f"{cell}: {rounds} rounds, widest interval {widest:.1%}"
            ),
        )
    if json_:
        print(json.dumps([record.model_dump(mode="json") for record in records]))
    else:
        for record in records:
            show(record)
    return not left_out


def show(record: LatencyRecord) -> None:
    """Print one comparison."""
    from reports import text
    from reports.records.published import latency_of
    from reports.stats.latency import decision, interval, verdicts

    extra = f", then {record.decode_tokens} more, per token" if record.decode_tokens else ""
    size = f", batch {record.batch_size} x {record.sequence_length} tokens{extra} "
    done = f"({record.rounds} rounds, {text.plural(record.environment.threads, 'thread')})"
    out.print(Text.assemble("\n", (record.phase, "bold"), size, done), highlight=False)
    found = [latency_of(record, entry) for entry in record.entries]
    times = ("median\nms", "p95\nms", "ratio", "95 %\ninterval")
    published = ("published",) if any(found) else ()
    made = table("contender", numbers=("para-\nmeters", *times, "verdict", "longest\ninput", *published))
    for number, (entry, paper) in enumerate(zip(record.entries, found, strict=True)):
        ends = interval(entry)
        cells: list[Any] = [
            entry.label,
            f"{entry.parameters:,}",
            text.amount(entry.latency_ms_p50),
            text.amount(entry.latency_ms_p95),
            f"{entry.ratio:.3f}",
            f"{ends.low:.3f}-{ends.high:.3f}" if number else "",
            decision(record, entry) if entry.method else "",
            text.count(entry.max_input_length),
        ]
        if any(found):
            cells.append(f"+{paper.overhead_percent:g} %" if paper else "")
        made.add_row(*cells)
    out.print(made)
    for number, sentence in enumerate(verdicts(record)):
        out.print(sentence, style="yellow" if number else "dim", highlight=False)


def _spec_error(message: str) -> ValueError:
    from runners.plan.errors import SpecError

    return SpecError(message)
