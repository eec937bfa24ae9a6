"""Foreign names never become a path or a link unchecked."""

from __future__ import annotations

import pytest

from reports.site.parts.links import https, method_page, record_page, slug, sources, task_page


def test_plain_names_stay_and_others_are_told_apart():
    assert slug("rotten_tomatoes") == "rotten_tomatoes"
    assert slug("MRPC") != slug("mrpc")
    assert slug("MRPC").startswith("mrpc-")
    assert slug("a/b") != slug("a-b")
    assert task_page("mrpc") == "tasks/mrpc.html"


@pytest.mark.parametrize(
    "hostile", ["../../etc/passwd", "..", "/root", "a" * 500, "", "con\x00", "a b?c#d", "ä", "\ud800"]
)
def test_a_name_is_one_safe_part_of_a_path(hostile):
    name = slug(hostile)
    assert 0 < len(name) <= 80
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert not name.startswith(".")
    assert method_page(hostile) == f"methods/{name}.html"


def test_no_name_takes_the_page_of_another():
    assert slug("index") != "index"
    assert method_page("index") != "methods/index.html"
    forged = slug("LoRA")  # a method that is called what the page of another is called
    assert slug(forged) != forged
    assert slug("lora-0123abcd") == "lora-0123abcd"


def test_a_page_is_of_one_record_and_of_no_other(make_record):
    record = make_record()
    assert record_page(record).startswith(f"records/{record.trial_id[:12]}-")
    for change in ({"study": "another"}, {"wall_seconds": 1.0}, {"message": "x"}):
        assert record_page(record.model_copy(update=change)) != record_page(record)
    forged = record.model_copy(update={"trial_id": "../index"})
    assert record_page(forged).startswith("records/de-")


def test_sources_are_linked():
    assert sources("arXiv 2106.09685; microsoft/LoRA@c4593f0") == [
        ("arXiv 2106.09685", "https://arxiv.org/abs/2106.09685"),
        ("microsoft/LoRA at c4593f0", "https://github.com/microsoft/LoRA/tree/c4593f0"),
    ]
    assert sources("by hand") == []


def test_only_https_is_a_link():
    assert https("https://nyu-mll.github.io/CoLA/") == "https://nyu-mll.github.io/CoLA/"
    for address in (
        "http://a.b",
        "javascript:alert(1)",
        "https://a.b/'onclick=",
        "https://a.b@c.d",
        "data:,",
    ):
        assert https(address) is None
