"""The drawing of a block: everything marked is drawn once, in the order of the data."""

from __future__ import annotations

import pytest

from reports.site.parts.block_figure import PLACES, drawing


def test_what_a_method_adds_is_drawn_and_what_it_does_not_is_not():
    plain = drawing({})
    assert not [box for box in plain.boxes if box.added]
    adapters = drawing({"attention_output": "adapter", "feed_forward_output": "adapter"})
    assert [box.mark for box in adapters.boxes if box.added] == ["adapter", "adapter"]
    assert len(adapters.boxes) == len(plain.boxes) + 2
    assert adapters.height > plain.height


@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_place_can_be_marked_and_lies_inside(place):
    found = drawing({place: "something"})
    marked = [box for box in found.boxes if box.mark == "something"]
    assert len(marked) == 1
    for box in found.boxes:
        assert 0 <= box.x < box.x + box.width <= 340
        assert 0 <= box.y < box.y + box.height <= found.height
    assert (marked[0].spoken, "something") in found.marks


def test_the_data_run_upwards_through_the_block():
    found = drawing({"keys_values": "prefix", "block_end": "adapter", "down_input": "scale"})
    heights = {box.name: box.y for box in found.boxes}
    order = [
        *("embeddings", "keys and values in front", "query", "attention", "output", "up"),
        *("activations", "down", "block's end", "task head"),
    ]
    assert [heights[name] for name in order] == sorted((heights[name] for name in order), reverse=True)
    assert found.frame.y < heights["block's end"] < found.frame.y + found.frame.height < heights["embeddings"]


def test_an_unknown_place_is_left_out():
    assert drawing({"elsewhere": "x"}) == drawing({})
