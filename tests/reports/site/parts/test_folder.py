"""A site's folder holds what the last build wrote, and is no folder of records."""

from __future__ import annotations

import json

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
