"""DID: training in a random subspace, the direct measurement of intrinsic dimension.

Papers: arXiv 1804.08838, equation 2, and arXiv 2012.13255; code:
uber-research/intrinsic-dimension@2a7ebd2.

    theta = theta0 + P z        z: (d), from zero; P: (D x d), random, fixed

The smallest d that reaches 90 % of full fine-tuning's score is the intrinsic dimension of a task. P is
Fastfood (``fastfood.py``) over all D parameters at once, with columns of unit length; for small cases it is
dense. The papers take the task head into the subspace, from its random start; ``head=beside`` trains it
freely, as every other method does. Merged, the change costs nothing at inference; until then every pass
computes it anew.

Learning rate: with columns of unit length Adam moves the D parameters together by about lr sqrt(d) a step;
the papers' own rates are for other forms of P. 0.3 is from our own measurement at d = 1000 (80 steps of 16
sentences of rotten_tomatoes, ``said``, one seed: accuracy 0.54, 0.57, 0.67 and 0.49 on the selection split
at 0.03, 0.1, 0.3 and 1). Another d may want another rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from methods.anatomy import Geometry
from methods.core import WEIGHTS, Card, LogUniform, Method, SearchSpace, Work, at
from methods.subspace import sizes
from methods.subspace.sizes import SubspaceOptions

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


class DidOptions(SubspaceOptions):
    """Options of ``did``."""


def work(geometry: Geometry, options: DidOptions) -> Work:
    """The projection, and everything of the base trains."""
    return sizes.work(geometry, options, 0)


class DID(Method[DidOptions]):
    """Train d coordinates of a random subspace of all parameters."""

    name = "did"
    options = DidOptions
    mergeable = True
    card = Card(
        summary="All weights move, in a random subspace of few dimensions; merges away.",
        source="arXiv 1804.08838, 2012.13255; uber-research/intrinsic-dimension@2a7ebd2",
        places=at("moves in a random subspace", *WEIGHTS),
        learning_rate=0.3,
        search_space=SearchSpace(LogUniform(3e-2, 3.0)),
        work=work,
    )

    def inject(self, anatomy: Anatomy, options: DidOptions) -> Injection:
        """Move every parameter by P z."""
        from methods.subspace import subspace

        return subspace.inject(anatomy, options, self.name, scaled=False)

    def count(self, geometry: Geometry, options: DidOptions) -> dict[str, int]:
        """d."""
        return {"coordinates": options.dimension}

    def count_head(self, geometry: Geometry, options: DidOptions) -> int:
        """Nothing where the head moves in the subspace."""
        return sizes.count_head(geometry, options)

    def count_stored(self, geometry: Geometry, options: DidOptions) -> int:
        """d, and the values that a head inside began with."""
        return sizes.count_stored(geometry, options)

    def fits(self, geometry: Geometry, options: DidOptions) -> bool:
        """Whether there are as many parameters to move."""
        return sizes.fits(geometry, options, 0)
