"""Which stacks of an architecture a model has: an encoder or a decoder may stand alone."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from methods.anatomy.layout import Attention, Layout, Part


def standing(layouts: tuple[Layout, ...], body: nn.Module) -> tuple[Layout, ...]:
    """The layouts of those stacks that are there.

    A decoder that stands alone (BART as a language model) has the layers of a cross-attention which nothing
    feeds: they are no places then.

    Args:
        layouts: of all stacks of the architecture.
        body: the model without its head; it may hold both, one, or be one itself.

    Returns:
        None of them where the body is something else.
    """
    there = tuple(layout for layout in layouts if _lies(body, layout.root))
    if len(there) == len(layouts):
        return layouts
    if there:
        return (replace(there[0], cross_attention=None),)
    for layout in reversed(layouts):  # a decoder has all that an encoder has
        own = _as_root(layout)
        if own is not None and _fits(own, body):
            return (replace(own, cross_attention=None),)
    return ()


def _as_root(layout: Layout) -> Layout | None:
    """The layout as its own stack sees it."""
    before = f"{layout.root}."
    if not layout.blocks.startswith(before):
        return None
    embedding = layout.embedding and layout.embedding.removeprefix(before)
    return replace(layout, root="", blocks=layout.blocks.removeprefix(before), embedding=embedding)


def _fits(layout: Layout, root: nn.Module) -> bool:
    """Whether a stack's first block has every place of the layout."""
    if not _lies(root, layout.blocks):
        return False
    block = next(root.get_submodule(layout.blocks).children(), None)
    places = [layout.gate, layout.up, layout.down]
    for attention in (layout.attention, layout.cross_attention):
        if isinstance(attention, Attention):
            places += [attention.query, attention.key, attention.value, attention.output]
    paths = [place.path if isinstance(place, Part) else place for place in places if place is not None]
    return block is not None and all(_lies(block, path) for path in paths)


def _lies(module: nn.Module, path: str) -> bool:
    try:
        module.get_submodule(path)
    except AttributeError:
        return False
    return True
