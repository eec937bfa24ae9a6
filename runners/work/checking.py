"""What is found out before the first trial: whatever would end them all, or would make their records lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import methods
import tasks
from methods import MethodError
from reports.records.schema import Record
from runners import device, models
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials import batches, forgetting, pieces, prompted
from runners.work import feasible


def check(study: Study, say: Callable[[str], None] = lambda line: None) -> None:
    """Find out before the first trial what would end one: data, models, how the processes were started;
    say what will be slow.

    Raises:
        DataError, ModelError, LaunchError: one sentence on what is missing or wrong and what to do.
        SpecError: a model has no place for a method, or an option does not fit; one sentence.
    """
    device.accelerator()  # refuses what was started otherwise
    specs = [*study.specs, *(search.default for search in study.searches)]
    for model in dict.fromkeys(spec.model for spec in specs):
        models.tokenizer(model)
        of_model = [spec for spec in specs if spec.model == model]
        check_methods(model, [s for s in of_model if not s.writes and not s.declared.is_tagged])
        check_tagging(model, [spec for spec in of_model if spec.declared.is_tagged])
        check_writing(model, [spec for spec in of_model if spec.writes])
    for task, data in dict.fromkeys((spec.declared, spec.data) for spec in specs):
        batches.load(task, data)
    for spec in specs:
        forgetting.check(spec)
    for line in feasible.check(specs):
        say(line)


def check_tagging(model: str, specs: Sequence[TrialSpec]) -> None:
    """The same for trials that label words; the tokenizer tells which word a token is of.

    Raises:
        ModelError: it does not, or the model has no head for every token.
        SpecError: a method cannot be put in.
    """
    if specs:
        pieces.check(models.tokenizer(model))
        check_methods(model, specs, models.skeleton(model, tagged=True))


def check_writing(model: str, specs: Sequence[TrialSpec]) -> None:
    """The same for trials that are scored by the text that is written; the tokenizer can end a text.

    Raises:
        ModelError: the model writes no text.
        SpecError: a method cannot be put in; one sentence.
    """
    if not specs:
        return
    check_methods(model, specs, models.writing_skeleton(model))
    skeleton = models.writing_skeleton(model)
    for spec in specs:
        adapted = methods.apply(skeleton, spec.method, **spec.options)
        prompted.form(spec, adapted.max_input_length)
        adapted.remove()


def check_methods(model: str, specs: Sequence[TrialSpec], skeleton: Any = None) -> None:
    """Put every method of some trials, as it is set, into a model without weights.

    Args:
        model: its name.
        specs: the trials.
        skeleton: the model; None for the classifier.

    Raises:
        SpecError: it cannot be put in; one sentence.
    """
    skeleton = models.skeleton(model) if skeleton is None else skeleton
    done = []
    for method, options in ((spec.method, spec.options) for spec in specs):
        if (method, options) in done:
            continue
        done.append((method, options))
        try:
            methods.apply(skeleton, method, **options).remove()
        except MethodError as error:
            raise SpecError(f"{model!r} cannot be trained with {method}: {error}") from None


def check_known_elsewhere(specs: Iterable[TrialSpec]) -> None:
    """Find out whether other processes know the tasks and methods of some trials.

    Raises:
        SpecError: one was registered in this process alone; one sentence.
    """
    for spec in specs:
        for kind, name, package in (("task", spec.task, tasks), ("method", spec.method, methods)):
            of_files = kind == "task" and spec.own is not None  # which travel, whatever else has their name
            if package.only_here(name) and not of_files:
                raise SpecError(
                    f"the {kind} {name!r}, {package.origin(name)}, is known to this process alone, and the "
                    "trials are to run in others: run them here, or let an installed package bring it by an "
                    f"entry point of the group paretune.{kind}s."
                )


def check_data(kept: Mapping[str, Record], specs: Iterable[TrialSpec]) -> None:
    """What is kept must have been measured on the data, and by the method, that trials to come will have.

    A trial is known by its task, wherever a machine keeps the data of it; another content is another task. It
    is known by the name of its method, which another package, or another version of it, may give to another.

    Raises:
        SpecError: a record was measured on other data, or with the method of another package.
    """
    for spec in specs:
        record = kept.get(spec.trial_id)
        if record is not None and record.method_origin != (whose := methods.origin(spec.method)):
            raise SpecError(
                f"{spec.label} has a record that was measured with another method of this name "
                f"({record.method_origin or 'Paretune'}; here {whose or 'Paretune'}): choose another --out."
            )
        if record is None or record.task is None:
            continue
        data = batches.load(spec.declared, spec.data)
        further = {name: one.sha256 for name, one in data.further.items()}
        told = {name: one.data_sha256 for name, one in record.further_reports.items()}
        pairs = [(record.task.data_sha256, data.sha256)]
        pairs += [(told[name], now) for name, now in further.items() if name in told]
        for before, now in pairs:
            if before is not None and before != now:
                raise SpecError(
                    f"{spec.label} has a record that was measured on other data (sha256 {before[:12]}) than "
                    f"{spec.data or 'its package or the hub'} holds ({now[:12]}): choose another --out."
                )


def check_models(records: Iterable[Record], specs: Iterable[TrialSpec]) -> None:
    """No record may be of another model than the one that has its name now.

    A local model is what its folder holds. Replaced under one name, two of them would be ranked as one.

    Raises:
        SpecError: a record was measured with other weights, another configuration or another tokenizer.
    """
    now = {spec.model: spec.model_sha256 for spec in specs}
    for record in records:
        name, before = str(record.spec.get("model")), record.spec.get("model_sha256")
        if name not in now:
            continue
        today = now[name]
        if before is None and record.model is not None:  # a record of schema 4, or no folder
            before, today = record.model.revision, models.revision(name)
        if before is not None and before != today and _is_of_files(before):
            raise SpecError(
                f"{record.spec.get('task')} / {record.spec.get('method')} has a record that was measured "
                f"with other files of the model {name!r} (sha256 {_short(before)}) than lie there now "
                f"({_short(str(today))}): choose another --out."
            )


def _is_of_files(told: str) -> bool:
    """Whether it is a hash of files: a hub's commit moves with a word in a page."""
    return len(told.removeprefix("sha256:")) == 64


def _short(told: str) -> str:
    return told.removeprefix("sha256:")[:12]
