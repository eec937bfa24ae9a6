"""The study that would decide what is left open, as a study file says it, and the hours that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import tasks
from reports import yaml_text
from reports.records.atomic import write_atomically
from runners.choosing.answer import Answer
from runners.choosing.predicted import Prediction
from runners.plan.errors import SpecError
from runners.plan.typed import name_of
from tasks.spec import PackageSource

SEEDS: Final = 5
"""Three give an interval; five a much narrower one."""
TRIALS: Final = 4
"""Settings that each method is searched for."""
EPOCHS: Final = 3
EXAMPLES: Final = 2000
"""Where a reader tells no number of their own."""


def content(answer: Answer) -> dict[str, Any]:
    """The study: the reader's model, a task, the methods that are left, each searched as much.

    What is left are the pick, and those within the limits that no verdict tells from it or that have no
    score; where all is decided, what is as good.
    """
    question = answer.question
    task = question.named or _at_hand()
    examples = question.examples or EXAMPLES
    # At their defaults, from which a search starts; two settings of one method are searched as one.
    entries = list(dict.fromkeys(one.choice.method for one in contenders(answer)))
    return {
        "name": f"choose-{name_of([question.sizes.model], [task])}",
        "title": "Which method to pick within the limits",
        "description": "Written by paretune choose: put your own task in place of this one "
        "(docs/your-task.md), and compare on what it says with paretune choose --boards.",
        "models": [question.sizes.model],
        "tasks": [task],
        "methods": entries,
        "seeds": list(range(SEEDS)),
        "protocol": {
            "epochs": EPOCHS,
            "batch_size": question.sizes.batch,
            "train_examples": examples,
        },
        "tuning": {"trials": TRIALS},
    }


def contenders(answer: Answer) -> list[Prediction]:
    """The methods of the study."""
    found = answer.choice
    if found is None or found.pick is None:
        return answer.admitted
    names = {found.pick, found.leader, *found.alike, *found.open, *answer.unscored}
    return [one for one in answer.admitted if one.choice.label in names]


def seconds(answer: Answer) -> float | None:
    """Of all its steps here, without scoring and costs; None where no step's time is known."""
    question = answer.question
    steps = EPOCHS * -(-(question.examples or EXAMPLES) // question.sizes.batch)
    times = [one.step_seconds for one in contenders(answer)]
    if not times or any(one is None for one in times):
        return None
    return (SEEDS + TRIALS) * steps * sum(one for one in times if one is not None)


def _at_hand() -> str:
    """A task whose data come with Paretune."""
    return next(name for name in tasks.names() if isinstance(tasks.get(name).source, PackageSource))


def write(answer: Answer, path: Path) -> None:
    """Put the study into a file; one that is there and says something else is left as it is.

    Raises:
        SpecError: no method is left, the file says something else, or it cannot be written.
    """
    if not contenders(answer):
        raise SpecError("no method is within these limits, so no study decides between any: loosen one.")
    said = yaml_text.dump(content(answer))
    try:
        if path.exists() and path.read_text(encoding="utf-8") != said:
            raise SpecError(f"the file {str(path)!r} is there already: expected a new one for --out.")
        write_atomically(path, said)
    except OSError as error:
        raise SpecError(f"the file {str(path)!r} cannot be written: {error.strerror}.") from None
