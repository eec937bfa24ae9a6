"""A random subspace in numbers: the options of ``did`` and ``said``, and what they cost in closed form."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import Chain, Options, Work

Kind = Literal["auto", "dense", "fastfood"]

DENSE_UP_TO = 2**22
"""Scalars in P up to which ``auto`` is dense: 17 MB."""
DENSE_LIMIT = 2**27
"""Scalars that a dense P may have: 0.5 GB."""
OUTER = 64
"""Side of the first factor of the long transform, whose rows beyond D are left out."""
INNER = 32
"""Largest side of the other factors: larger ones cost more products, smaller ones more passes over memory."""


class SubspaceOptions(Options):
    """Options of ``did`` and ``said``."""

    dimension: int = Field(1000, ge=1, description="number d of trained scalars, lambda included")
    head: Literal["inside", "beside"] = Field(
        "inside", description="whether the task head moves in the subspace too, or trains beside it"
    )
    projection: Kind = Field(
        "auto", description="dense, fastfood, or auto: dense up to 4,194,304 scalars, D x d"
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="of the projection; none = torch's own seed, in a trial the trial's"
    )


def power_of_two(size: int) -> int:
    """The smallest power of two that is not below ``size``."""
    return 1 << (size - 1).bit_length()


def factors(length: int) -> tuple[int, ...]:
    """Sides of the Hadamard matrices whose Kronecker product is that of ``length`` = 2^k."""
    bits = length.bit_length() - 1
    count = math.ceil(bits / (INNER.bit_length() - 1))
    return tuple(1 << ((bits + i) // count) for i in range(count))[::-1]


def fastfood(size: int, dimension: int) -> tuple[Chain, ...]:
    """The matrix products of one projection, for the closed form of FLOPs; their matrices do not train."""
    length, period = power_of_two(size), power_of_two(dimension)
    outer = min(OUTER, length)
    columns = length // outer
    rows = -(-size // columns)
    products = [((side, side), period // side) for side in factors(period)]
    products.append(((rows, outer), columns))
    products += [((side, side), rows * columns // side) for side in factors(columns)]
    return tuple(Chain((shape,), trained=False, rows=n, reads_trained=True) for shape, n in products)


def chosen(kind: Kind, size: int, dimension: int) -> Literal["dense", "fastfood"]:
    """What ``auto`` stands for at these sizes."""
    if kind != "auto":
        return kind
    return "dense" if size * dimension <= DENSE_UP_TO else "fastfood"


def products(kind: Kind, size: int, dimension: int) -> tuple[Chain, ...]:
    """The matrix products of one projection, for the closed form of FLOPs."""
    if chosen(kind, size, dimension) == "fastfood":
        return fastfood(size, dimension)
    return (Chain(((size, dimension),), trained=False, rows=1, reads_trained=True),)


def scales_of(blocks: int) -> int:
    """Number m of scales: one for each block, one for everything outside of them."""
    return blocks + 1


def moved(geometry: Geometry, options: SubspaceOptions) -> int:
    """Number D of parameters that move."""
    return geometry.base + (geometry.head if options.head == "inside" else 0)


def work(geometry: Geometry, options: SubspaceOptions, scales: int) -> Work:
    """The projection, once in a pass, before everything trains as in full fine-tuning."""
    chains = products(options.projection, moved(geometry, options), options.dimension - scales)
    return Work(beside={"start": [chains]}, blocks=geometry.layers, body=True)


def count_head(geometry: Geometry, options: SubspaceOptions) -> int:
    """What trains of the head as itself: nothing where it moves in the subspace."""
    return 0 if options.head == "inside" else geometry.head


def count_stored(geometry: Geometry, options: SubspaceOptions) -> int:
    """The coordinates, the scales among them, and the values that a head inside began with."""
    return options.dimension + (geometry.head if options.head == "inside" else 0)


def fits(geometry: Geometry, options: SubspaceOptions, scales: int) -> bool:
    """Whether there are as many parameters to move, and a projection of that size may be made."""
    size, dimension = moved(geometry, options), options.dimension - scales
    dense = chosen(options.projection, size, dimension) == "dense"
    return 0 < dimension <= size and not (dense and size * dimension > DENSE_LIMIT)
