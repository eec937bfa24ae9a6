"""What peft calls the modules of a model, and how it finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from methods.anatomy import Anatomy, WrappedLinear

Tensors = dict[str, Tensor]
Words = tuple[dict[str, Any], Tensors]
"""Options, and tensors by name."""


class Names:
    """What the modules of a model are called, as if no method were in it."""

    def __init__(self, anatomy: Anatomy) -> None:
        modules = dict(anatomy.model.named_modules())
        self.body = anatomy.body_prefix
        inside = tuple(f"{name}." for name, module in modules.items() if isinstance(module, WrappedLinear))
        self.all = [name for name in modules if name and not name.startswith(inside)]

    def ends(self, paths: Sequence[str]) -> list[str]:
        """The shortest ends of names that these paths of the body have, and no other module.

        peft looks for modules by the ends of their names, in places without regard for the dot in front.
        """
        wanted = dict.fromkeys(self.body + path for path in paths)
        others = [name for name in self.all if name not in wanted]
        is_own: dict[str, bool] = {}
        for name in wanted:
            steps = name.split(".")
            for first in reversed(range(len(steps))):
                end = ".".join(steps[first:])
                if end not in is_own:
                    is_own[end] = not any(other.endswith(end) for other in others)
                if is_own[end]:
                    break
        return [end for end, own in is_own.items() if own]
