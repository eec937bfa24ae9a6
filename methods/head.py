"""Head only: a frozen body under a trained task head.

    y = g(f(x; theta0); phi)        phi of the head g trains, theta0 of the body f is frozen

The floor of every comparison: whatever a method costs, it must beat this. A language model's head is
pretrained and part of the base, so there is nothing to train there. Searched: a decade to either side of the
default rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import Card, LogUniform, Method, NoOptions, SearchSpace, Served, Work, at
from methods.errors import AnatomyError

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


def work(geometry: Geometry, options: NoOptions) -> Work:
    """Nothing: no gradient enters the body."""
    return Work()


class Head(Method[NoOptions]):
    """Train nothing but the task head."""

    name = "head"
    options = NoOptions
    served = Served()
    card = Card(
        summary="The body is frozen, only the task head trains: the floor of every comparison.",
        source="linear probing, arXiv 1610.01644",
        places=at("nothing in the body"),
        learning_rate=1e-2,
        search_space=SearchSpace(LogUniform(1e-3, 1e-1)),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: NoOptions) -> Injection:
        """Own nothing: the head always trains.

        Raises:
            AnatomyError: the model has no task head.
        """
        from methods.core import Injection

        if not anatomy.head_parameters():
            raise AnatomyError(f"{anatomy} has no task head, head has nothing to train.")
        return Injection(options)

    def count(self, geometry: Geometry, options: NoOptions) -> dict[str, int]:
        """Nothing."""
        return {}
