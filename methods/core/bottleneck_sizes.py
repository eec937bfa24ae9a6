"""What a bottleneck has and does, in closed form."""

from __future__ import annotations

from methods.core.flops import Chain


def bottleneck_size(width: int, bottleneck: int) -> int:
    """Closed form 2dm + m + d."""
    return 2 * width * bottleneck + bottleneck + width


def bottleneck_chain(width: int, bottleneck: int, reads_trained: bool = False) -> Chain:
    """Its two products: 4dm FLOPs per token."""
    return Chain(((bottleneck, width), (width, bottleneck)), reads_trained=reads_trained)
