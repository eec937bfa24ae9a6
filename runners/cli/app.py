"""The ``paretune`` command: what there is to type, and how a mistake is answered."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from runners.cli import (
    check_data,
    choose,
    claims,
    compare,
    count,
    demo,
    export,
    flops,
    import_,
    intrinsic,
    latency,
    lists,
    memory,
    options,
    plan,
    publish,
    report,
    run,
    serve_cost,
    stopping,
    validate,
)
from runners.cli.help import Command, Group, paragraphs
from runners.cli.options import err
from runners.errors import UnwrittenError
from runners.failures import LostError

EXIT_CODES = """Exit codes: 0 done; 1 something failed, is missing or has a fault; 2 the command, a file or a
model is not what was expected, as one sentence says; 130 and 143 stopped by Ctrl-C or SIGTERM, what was done
is kept."""

app = typer.Typer(
    name="paretune",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=paragraphs(EXIT_CODES),
    help="Which tuning method should I pick? One protocol for every method, and what each costs.\n\n"
    "Begin with `paretune demo`, or with a task and methods: `paretune run --task mrpc --method lora`.",
)


@app.callback()
def _paretune(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Take what comes before the name of a command."""


TRY, RUN, MEASURE, SHARE = "Try", "Run", "Measure", "Share"
"""The groups of commands, in the order in which they are listed."""

COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    (TRY, choose.choose, "Pick a method for a model, within limits, with reasons."),
    (TRY, compare.compare, "Put two methods side by side: tests and costs."),
    (TRY, demo.demo, "Compare nine methods on real sentences, offline, in minutes."),
    (TRY, lists.methods, "List the methods, or what each can do on a model."),
    (TRY, lists.tasks, "List the tasks, with their metrics and licences."),
    (TRY, lists.studies, "List the studies: what each answers, and its hours."),
    (TRY, check_data.check_data, "See what would be used of data of your own."),
    (RUN, plan.plan, "Tell what a study will take, before it runs."),
    (RUN, run.run, "Run a study, or a task and methods, where records miss."),
    (RUN, report.report, "Make pages and tables from records."),
    (RUN, intrinsic.intrinsic, "Find how few dimensions of a subspace are enough."),
    (RUN, claims.claims, "Put what is claimed of these methods to the test."),
    (MEASURE, count.count, "Count a method's parameters on any model."),
    (MEASURE, memory.memory, "Measure or predict the memory of training."),
    (MEASURE, flops.flops, "Count the FLOPs of a pass and of a training step."),
    (MEASURE, latency.latency, "Time methods beside the untouched base."),
    (MEASURE, serve_cost.serve_cost, "Measure many tasks of a method on one base."),
    (SHARE, export.export, "Write a trained method for another library."),
    (SHARE, validate.validate, "Check records, before you submit them."),
    (SHARE, publish.publish, "Send pages to the Hugging Face hub or a folder."),
)
"""Every command: its group, what it does, and its line in the list of all, at most 60 characters."""

for _group, _command, _line in COMMANDS:
    app.command(cls=Command, rich_help_panel=_group, short_help=_line)(_command)
app.add_typer(
    import_.app, name="import", rich_help_panel=SHARE, short_help="Turn results of other suites into records."
)

AFTERWARDS = (LostError, UnwrittenError)
"""What is no mistake of the user's, and ends work that was begun."""

TOGETHER = {"run", "intrinsic", "demo"}
"""Commands that several processes do together."""

KEEPING = {"run", "intrinsic", "demo", "claims"}
"""Commands that keep what is done, trial by trial, and go on from it."""


def main() -> None:
    """Run the command; a mistake of the user ends with one sentence and exit code 2, see EXIT_CODES."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        with stopping.stoppable(), options.one_speaks(), _together():
            app(prog_name="paretune")
    except stopping.Stopped as stopped:
        if options.speaks():
            kept = ": what is done is kept, and the same command goes on with the rest"
            afterwards = kept if _command_name() in KEEPING else " before it was done"
            err.print(f"Stopped by {stopped.by.name}{afterwards}.", highlight=False, soft_wrap=True)
        sys.exit(stopped.exit_code)
    except (ValueError, LostError) as error:
        if not _is_for_the_user(error):
            raise
        from reports import text

        if options.speaks():
            err.print(f"error: {text.clean(error, 2000)}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1 if isinstance(error, AFTERWARDS) else 2)


def _command_name() -> str:
    """What was asked for, as it was typed."""
    return next(iter(sys.argv[1:]), "")


def _version(asked: bool) -> None:
    """Print the version and end, where that was asked for."""
    if asked:
        from runners.environment import version

        print(f"paretune {version()}")
        raise typer.Exit


def _together() -> AbstractContextManager[None]:
    """What fails in one of several processes ends them all."""
    if options.processes() == 1:
        return nullcontext()
    command = _command_name()
    if command not in TOGETHER:
        from runners.plan.errors import SpecError

        raise SpecError(
            f"`paretune {command}` runs in one process, received {options.processes()}: start it without a "
            "launcher."
        )
    from runners import processes

    return processes.together()


def _is_for_the_user(error: BaseException) -> bool:
    """Whether the message of an error was written as a sentence for the user."""
    from methods.errors import MethodError
    from reports.errors import RecordError
    from runners.errors import ModelError, PeerError
    from runners.launch import LaunchError
    from runners.plan.errors import SpecError
    from runners.share.publish import PublishError
    from tasks.spec import DataError, TaskError

    ours = (
        MethodError
        | TaskError
        | DataError
        | ModelError
        | SpecError
        | RecordError
        | PublishError
        | UnwrittenError
        | LaunchError
        | PeerError
        | LostError
    )
    return isinstance(error, ours)
