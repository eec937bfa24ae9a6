"""The ``paretune`` command: what there is to type, and how a mistake is answered."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

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
    stopping,
    validate,
)
from runners.cli.options import err
from runners.failures import LostError

app = typer.Typer(
    name="paretune",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which tuning method should I pick? One protocol for every method, and what each costs.",
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    *(choose.choose, compare.compare),
    *(demo.demo, plan.plan, run.run, report.report),
    *(intrinsic.intrinsic, latency.latency, memory.memory, flops.flops, claims.claims),
    *(validate.validate, publish.publish, check_data.check_data),
    *(lists.methods, lists.tasks, lists.studies),
    *(count.count, export.export),
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(import_.app, name="import")

TOGETHER = {"run", "intrinsic", "demo"}
"""Commands that several processes do together."""


def main() -> None:
    """Run the command; a mistake of the user ends with one sentence and exit code 2."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        with stopping.stoppable(), options.one_speaks(), _together():
            app()
    except stopping.Stopped as stopped:
        if options.speaks():
            err.print(
                f"Stopped by {stopped.by.name}: what is done is kept, and the same command goes on "
                "with the rest.",
                highlight=False,
                soft_wrap=True,
            )
        sys.exit(stopped.exit_code)
    except (ValueError, LostError) as error:
        if not _is_for_the_user(error):
            raise
        from reports import text

        if options.speaks():
            err.print(f"error: {text.clean(error, 2000)}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, ValueError) else 1)


def _together() -> AbstractContextManager[None]:
    """What fails in one of several processes ends them all."""
    if options.processes() == 1:
        return nullcontext()
    command = next(iter(sys.argv[1:]), "")
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
    from runners.errors import ModelError, PeerError, UnwrittenError
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
