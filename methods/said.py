"""SAID: training in a random subspace, with a trained scale for every layer.

Paper: arXiv 2012.13255, section 3; code that follows it: rabeehk/compacter@e123daa,
seq2seq/projections/intrinsic.py.

    theta_i = theta0_i + lambda_i (P z)_i        z: (d - m), from zero; lambda: (m), from one

i is a layer. The m scales are part of the d dimensions. The paper says layers and not which: here they are
the transformer blocks, where layers share weights (ALBERT) once, and everything outside the blocks
together: embeddings, last normalisation, pooler, and the head where it lies inside. (compacter has a scale
for every tensor.) Everything else, the learning rate too, is as in ``did``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import WEIGHTS, Card, LogUniform, Method, SearchSpace, Work, at
from methods.errors import OptionError
from methods.subspace import sizes
from methods.subspace.sizes import SubspaceOptions, scales_of

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


class SaidOptions(SubspaceOptions):
    """Options of ``said``."""


def work(geometry: Geometry, options: SaidOptions) -> Work:
    """The projection, and everything of the base trains."""
    return sizes.work(geometry, options, scales_of(geometry.layers))


class SAID(Method[SaidOptions]):
    """Train coordinates of a random subspace of all parameters, and a scale for each layer."""

    name = "said"
    options = SaidOptions
    mergeable = True
    card = Card(
        summary="All weights move, in a random subspace of few dimensions scaled layer by layer; "
        "merges away.",
        source="arXiv 2012.13255; rabeehk/compacter@e123daa",
        places=at("moves in a random subspace", *WEIGHTS),
        learning_rate=0.3,
        search_space=SearchSpace(LogUniform(3e-2, 3.0)),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: SaidOptions) -> Injection:
        """Move every parameter by lambda_i P z.

        Raises:
            OptionError: the scales alone are as many as the dimension.
        """
        from methods.subspace import subspace

        scales = scales_of(len(anatomy.blocks))
        if options.dimension <= scales:
            raise OptionError(
                f"said: dimension={options.dimension} is not valid: {scales} of it are the scales of the "
                f"layers of {anatomy}, expected at least {scales + 1}."
            )
        return subspace.inject(anatomy, options, self.name, scaled=True)

    def count(self, geometry: Geometry, options: SaidOptions) -> dict[str, int]:
        """d, of which one for each block and one for the rest are scales."""
        scales = scales_of(geometry.layers)
        return {"coordinates": options.dimension - scales, "scales": scales}

    def count_head(self, geometry: Geometry, options: SaidOptions) -> int:
        """Nothing where the head moves in the subspace."""
        return sizes.count_head(geometry, options)

    def count_stored(self, geometry: Geometry, options: SaidOptions) -> int:
        """d, and the values that a head inside began with."""
        return sizes.count_stored(geometry, options)

    def fits(self, geometry: Geometry, options: SaidOptions) -> bool:
        """Whether there are as many parameters to move."""
        return sizes.fits(geometry, options, scales_of(geometry.layers))
