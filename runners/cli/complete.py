"""What the Tab key completes: names of what there is, known without torch.

Functions take what was typed so far and give what it may go on as, some with a word of what it is. A file or
folder is completed by the shell where nothing of ours fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Named = list[tuple[str, str]]


def methods(typed: str) -> Named:
    """Names of methods."""
    import methods as package

    return [(name, package.get(name).card.summary) for name in package.names() if name.startswith(typed)]


def tasks(typed: str) -> Named:
    """Names of tasks."""
    import tasks as package

    return [(name, package.get(name).title) for name in package.names() if name.startswith(typed)]


def models(typed: str) -> list[str]:
    """The model that needs no download; others are hub ids and folders."""
    from runners.known import EMBEDDED

    return _of([EMBEDDED])(typed)


def sizes(typed: str) -> list[str]:
    """The embedded model, and published sizes, which need no download where no weights are read."""
    from runners.known import EMBEDDED, architectures

    return _of([EMBEDDED, *architectures()])(typed)


def studies(typed: str) -> list[str]:
    """Names of built-in studies."""
    from runners.plan.study import built_in

    return _of(built_in())(typed)


def claims(typed: str) -> list[str]:
    """Names of claims."""
    from reports.records.identity import CLAIM
    from runners.plan.study import built_in

    return _of(name.removeprefix(CLAIM) for name in built_in() if name.startswith(CLAIM))(typed)


def protocol(typed: str) -> Named:
    """Keys of the training protocol."""
    from runners.plan.spec import Protocol

    found = {name: field.description or "" for name, field in Protocol.model_fields.items()}
    return [(f"{name}=", what) for name, what in found.items() if name.startswith(typed)]


def only(typed: str) -> list[str]:
    """Keys by which trials are chosen."""
    from runners.plan.only import KEYS

    return _of(f"{key}=" for key in KEYS)(typed)


def words(*valid: str) -> Callable[[str], list[str]]:
    """One of a few words."""
    return _of(valid)


def _of(names: Iterable[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete
