"""Tasks of a user's own data in a study: where their files are, and what a trial must know of them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import tasks
from runners.plan.errors import SpecError
from tasks.own.declaration import PARTS


class Named(Protocol):
    """A task as a study has it."""

    name: str
    own: dict[str, Any] | None


def beside(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a study file, in which the paths of own data begin at the folder of that file."""
    listed = content.get("tasks")
    if not isinstance(listed, list):
        return dict(content)
    return {**content, "tasks": [_beside(item, folder) for item in listed]}


def places(chosen: Iterable[Named], data: str | None) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """What the trials of each task are given beside their settings, and what is said to the user of it.

    Args:
        chosen: the tasks of a study.
        data: its folder, of the tasks that are Paretune's.

    Raises:
        SpecError: own data have the name of another task.
        DataError: own data cannot be read, or something of it is wrong.
    """
    found: dict[str, dict[str, Any]] = {}
    said: dict[str, dict[str, Any] | None] = {}
    notes: list[str] = []
    for task in chosen:
        if said.setdefault(task.name, task.own) != task.own:
            raise SpecError(f"the study has two tasks named {task.name}, expected a name for each.")
        if task.name in found:
            continue
        if task.own is None:
            found[task.name] = {"task": task.name, "data": data}
            continue
        check_name(task.name)
        from tasks.own import preparing  # with what reads files

        resolved = preparing.resolve(task.own)
        own = {"own": resolved.own, "files": resolved.source}
        found[task.name] = {"task": task.name, "data": resolved.folder, **own}
        notes += resolved.notes
    return found, tuple(notes)


def check_name(name: str) -> None:
    """Own data have a name that no task of `paretune tasks` has.

    Raises:
        SpecError: it is taken.
    """
    if name in tasks.names():
        whose = tasks.origin(name) or "Paretune's"
        raise SpecError(f"{name} is the name of another task ({whose}): give your own data another.")


def misplaced(item: Mapping[Any, Any]) -> str:
    """What to write in place of own data that are not written as such; nothing for what looks otherwise."""
    name, values = next(iter(item.items())) if len(item) == 1 else ("mine", item)
    if not isinstance(values, Mapping):
        name, values = "mine", item
    key = next((key for key in (*PARTS, "file", "hub") if key in values), None)
    if key is None:
        return ""
    return f"; data of your own have the name among the keys: {{name: {name}, {key}: {values[key]}, ...}}"


def check_levels(item: Mapping[str, Any], settings: Container[str]) -> None:
    """What is set of a training stands below `protocol:`.

    Raises:
        SpecError: it stands beside the files; one sentence.
    """
    if (key := next((key for key in item if key in settings), None)) is not None:
        raise SpecError(
            f"the task {item['name']} has the key {key}, which is of its training: write protocol: "
            f"{{{key}: {item[key]}}}."
        )


def levels(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A mapping of settings that a task carries.

    Raises:
        SpecError: it is something else.
    """
    value = item.get(key) or {}
    if not isinstance(value, Mapping):
        raise SpecError(f"the task {item['name']} has the {key} {value!r}, expected a mapping.")
    return dict(value)


def _beside(item: Any, folder: Path) -> Any:
    if not isinstance(item, Mapping) or "name" not in item or item.get("hub") is not None:
        return item

    from tasks.own.files import at_home  # with what reads files

    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(one) for one in value]
        if isinstance(value, Mapping):  # several report splits by name
            return {name: placed(one) for name, one in value.items()}
        return str(folder.absolute() / at_home(str(item["name"]), value)) if isinstance(value, str) else value

    return {key: placed(value) if key in (*PARTS, "file") else value for key, value in item.items()}
