"""Full fine-tuning: every parameter of the body trains.

    theta = theta0 + delta        delta: (D), from zero; D: all parameters of the body and the head

The reference of every comparison. The default learning rate is in the range of BERT's own fine-tuning
(arXiv 1810.04805, section A.3: 2e-5 to 5e-5). Searched: 1e-5 to 5e-4, wider on
both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import WEIGHTS, Card, LogUniform, Method, NoOptions, SearchSpace, Work, at

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


def work(geometry: Geometry, options: NoOptions) -> Work:
    """All of the base trains: a training step is three forward passes."""
    return Work(blocks=geometry.layers, body=True)


class Full(Method[NoOptions]):
    """Train the whole model."""

    name = "full"
    options = NoOptions
    served_instead = "lora, or bitfit for what is the base's own"
    card = Card(
        summary="Every weight trains: the reference of every comparison.",
        source="arXiv 1810.04805",
        places=at("trains", *WEIGHTS),
        learning_rate=5e-5,
        search_space=SearchSpace(LogUniform(1e-5, 5e-4)),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: NoOptions) -> Injection:
        """Own every parameter of the body that the model does not keep frozen itself."""
        from methods.anatomy.quantised import as_numbers
        from methods.core import Injection

        return Injection(
            options, anatomy.trainable(as_numbers(self.name, anatomy, anatomy.body_parameters()))
        )

    def count(self, geometry: Geometry, options: NoOptions) -> dict[str, int]:
        """The size of the body, less what the model keeps frozen itself."""
        return {"body": geometry.base - geometry.frozen}
