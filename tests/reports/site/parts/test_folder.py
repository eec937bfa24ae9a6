"""A site's folder holds what the last build wrote, and is no folder of records."""

from __future__ import annotations

import json
import os

import pytest

from reports import read_records, write_record
from reports.site.parts.folder import Folder


def test_what_is_no_longer_written_goes_and_what_others_put_there_stays(tmp_path):
    (tmp_path / "CNAME").write_text("theirs")
    with Folder(tmp_path) as folder:
        folder.write("a/one.html", "1")
        folder.write("two.bin", b"\x00")
    with Folder(tmp_path) as folder:
        folder.write("two.bin", b"\x01")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        *(".paretune-site", "CNAME"),
        "two.bin",
    ]


def test_a_broken_build_forgets_nothing_that_it_wrote(tmp_path):
    with Folder(tmp_path) as folder:
        folder.write("old", "")

    def fail():
        with Folder(tmp_path) as folder:
            folder.write("new", "")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert json.loads((tmp_path / ".paretune-site").read_text()) == ["new", "old"]


def test_a_forged_list_removes_nothing_outside(tmp_path):
    (tmp_path / "precious").write_text("")
    site = tmp_path / "site"
    site.mkdir()
    (site / ".paretune-site").write_text('["../precious", 3]')
    with Folder(site) as folder:
        folder.write("x", "")
    assert (tmp_path / "precious").exists()
    (site / ".paretune-site").write_text("no json")
    with Folder(site) as folder:
        folder.write("x", "")


def test_copies_of_records_in_a_site_are_no_records(tmp_path, make_record):
    write_record(make_record(), tmp_path)
    with Folder(tmp_path / "site") as folder:
        folder.write("records/x.json", make_record().model_dump_json())
    assert len(read_records(tmp_path)) == 1


def test_what_would_be_the_same_is_not_touched(tmp_path):
    for _ in range(2):
        with Folder(tmp_path) as folder:
            assert not folder.keep("two", "from this")
            folder.write("one", "1")
        os.utime(tmp_path / "one", (1, 1))
    assert (tmp_path / "one").stat().st_mtime == 1
    with Folder(tmp_path) as folder:
        folder.write("one", "2", made_from="this")
    os.utime(tmp_path / "one", (1, 1))
    for given, kept in (("that", False), ("this", True)):
        with Folder(tmp_path) as folder:
            assert folder.keep("one", given) is kept
            if not kept:
                folder.write("one", "2", made_from="this")
    assert (tmp_path / "one").stat().st_mtime == 1
    (tmp_path / "one").write_text("edited")
    with Folder(tmp_path) as folder:
        assert not folder.keep("one", "this")
    assert not (tmp_path / "one").exists()


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "theirs").write_text("same")
    site = tmp_path / "site"
    site.mkdir()
    (site / "one").symlink_to(tmp_path / "theirs")
    with Folder(site) as folder:
        folder.write("one", "same")
    assert not (site / "one").is_symlink()


@pytest.mark.parametrize("content", ["no json", "[]", '{"one": 3, "two": ["a"], "three": [1, 2]}'])
def test_a_forged_account_of_what_was_made_keeps_nothing(tmp_path, content):
    (tmp_path / ".paretune-made").write_text(content)
    with Folder(tmp_path) as folder:
        assert not any(folder.keep(name, "a") for name in ("one", "two", "three"))
