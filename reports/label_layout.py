"""On which side of its point each label of a figure goes, so that labels stay readable."""

from __future__ import annotations

from collections.abc import Sequence

LINE, HALF_POINT = 16.0, 8.0  # pixels: height of a label, half the size of a marker
CLEARANCE = 6.0  # pixels around a point in which the label of another would seem to belong to it
SWEEPS = 3  # the first places every label, the others move those that later ones crowd
Box = tuple[float, float, float, float]


def label_positions(
    places: Sequence[tuple[float, float]], widths: Sequence[float], obstacles: Sequence[Box] = ()
) -> list[str]:
    """For each point (pixels, y downwards) the side on which its label covers the least of the rest.

    The rest is the other points, the other labels, and `obstacles` (left, top, right, bottom).
    """
    reach = HALF_POINT + CLEARANCE
    points = [(x - reach, y - reach, x + reach, y + reach) for x, y in places]
    boxes = [_candidates(x, y, width) for (x, y), width in zip(places, widths, strict=True)]
    chosen: list[str] = []
    for sweep in range(SWEEPS):
        for index, candidates in enumerate(boxes):
            labels = [boxes[other][side] for other, side in enumerate(chosen) if other != index]
            rest = [*obstacles, *labels, *points[:index], *points[index + 1 :]]
            costs = {side: sum(_overlap(box, other) for other in rest) for side, box in candidates.items()}
            best = min(costs, key=costs.__getitem__)
            if sweep == 0:
                chosen.append(best)
            else:
                chosen[index] = best
    return chosen


def _candidates(x: float, y: float, width: float) -> dict[str, Box]:
    """Boxes of a label on each side of a point, the preferred side first."""
    top, bottom = y - HALF_POINT - LINE, y + HALF_POINT
    left, right = x - HALF_POINT - width, x + HALF_POINT
    return {
        "top center": (x - width / 2, top, x + width / 2, top + LINE),
        "bottom center": (x - width / 2, bottom, x + width / 2, bottom + LINE),
        "middle right": (right, y - LINE / 2, right + width, y + LINE / 2),
        "middle left": (left, y - LINE / 2, left + width, y + LINE / 2),
        "top right": (right, top, right + width, top + LINE),
        "bottom right": (right, bottom, right + width, bottom + LINE),
        "top left": (left, top, left + width, top + LINE),
        "bottom left": (left, bottom, left + width, bottom + LINE),
    }


def _overlap(a: Box, b: Box) -> float:
    """Shared area of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
