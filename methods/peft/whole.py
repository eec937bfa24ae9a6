"""Modules of the body that peft trains and saves whole beside a method, its ``modules_to_save``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from methods.anatomy import Anatomy
from methods.errors import AnatomyError, MethodError
from methods.peft.names import Names


def whole_modules(names: Collection[str], anatomy: Anatomy) -> frozenset[str]:
    """The modules whose parameters these are.

    Raises:
        MethodError: one has others too, or has several names: peft saves whole modules, by one name.
    """
    modules = {name.rpartition(".")[0] for name in names}
    places = Counter(id(p) for _, p in anatomy.model.named_parameters(remove_duplicate=False))
    for path in sorted(modules):
        held = dict(anatomy.model.get_submodule(path).named_parameters(path))
        if strange := sorted(n for n, p in held.items() if n not in names or places[id(p)] > 1):
            raise MethodError(
                f"peft saves {path} as a whole and by one name, and {strange[0]!r} does not allow that."
            )
    return frozenset(modules)


def saved_beside(modules: Sequence[str], anatomy: Anatomy) -> frozenset[str]:
    """The parameters of a body that peft trains and saves whole, such as a pooler's; none of its blocks.

    Of a language model none: it has no task head that they would belong to.
    """
    if anatomy.is_language_model:
        return frozenset()
    body = Names(anatomy).body
    try:
        blocks = tuple(f"{body}{block.path}." for block in anatomy.blocks)
    except AnatomyError:
        return frozenset()
    return frozenset(
        name
        for name, _ in anatomy.model.named_parameters()
        if name.startswith(body) and not name.startswith(blocks)
        if any(f".{module}." in f".{name}" for module in modules)
    )
