from __future__ import annotations

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import cache

ROWS = {"text": [f"text {i}" for i in range(500)], "label": list(range(500))}
FACTS = {"sizes": {"train": 500}}


class Maker:
    """Makes a table, and counts how often."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.times = seconds, 0

    def __call__(self) -> cache.Kept:
        self.times += 1
        time.sleep(self.seconds)
        return cache.Kept(datasets.Dataset.from_dict(ROWS), FACTS)


@pytest.fixture(autouse=True)
def untold() -> None:
    cache._told.clear()
    cache.complaints()


def kept(make: Maker, of: str = "a" * 64) -> cache.Kept:
    found = cache.kept("rows", of, make)
    assert found.table[:] == ROWS
    assert found.facts == FACTS
    return found


def files() -> list[Path]:
    return sorted(cache.folder().glob("*.arrow"))


def test_what_is_kept_is_made_once_and_mapped() -> None:
    make = Maker()
    for _ in range(3):
        assert [file["filename"] for file in kept(make).table.cache_files] == [str(files()[0])]
    assert make.times == 1
    kept(make, "b" * 64)
    assert make.times == 2
    assert len(files()) == 2
    assert cache.complaints() == []


@pytest.mark.parametrize("size", [0, 1, 100, 5_000, -1, -8, -4_096])
def test_a_file_that_is_cut_short_is_made_again(size: int) -> None:
    make = Maker()
    kept(make)
    (file,) = files()
    whole = file.read_bytes()
    file.write_bytes(whole[:size])
    kept(make)
    assert make.times == 2
    assert files()[0].read_bytes() == whole


@pytest.mark.parametrize("place", range(0, 100, 10))
def test_a_file_that_was_changed_is_made_again(place: int) -> None:
    make = Maker()
    kept(make)
    (file,) = files()
    content = bytearray(file.read_bytes())
    content[len(content) * place // 100] ^= 1
    file.write_bytes(content)
    kept(make)
    assert make.times == 2


def test_a_file_of_others_under_the_name_is_made_again() -> None:
    make = Maker()
    kept(make)
    other = cache.kept("rows", "b" * 64, lambda: cache.Kept(datasets.Dataset.from_dict({"text": ["other"]})))
    own, foreign = (Path(one.table.cache_files[0]["filename"]) for one in (kept(make), other))
    own.write_bytes(foreign.read_bytes())
    kept(make)
    assert make.times == 2


def test_a_folder_that_cannot_be_written_to_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "file"))
    make = Maker()
    for _ in range(2):
        assert kept(make).table.cache_files == []
    assert make.times == 2
    (line,) = cache.complaints()
    assert line.startswith(f"What is made of the data cannot be kept in {tmp_path / 'file' / 'paretune'} (")
    assert line.endswith("HF_DATASETS_CACHE can name another folder.")
    kept(make)
    assert cache.complaints() == []


@contextmanager
def room(size: int):
    """No file may become larger, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 1_000])
def test_where_the_disk_is_full_nothing_is_left_behind(size: int) -> None:
    make = Maker()
    with room(size):
        assert kept(make).table.cache_files == []
    (line,) = cache.complaints()
    assert f"{cache.folder()} (File too large): every" in line
    assert [file.suffix for file in cache.folder().iterdir()] == [".lock"]
    kept(make)
    assert (make.times, len(files())) == (2, 1)


def test_one_makes_and_the_others_wait() -> None:
    make = Maker(seconds=0.1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: kept(make), range(4)))
    assert (make.times, len(files())) == (1, 1)


def test_what_a_killed_process_was_writing_is_removed() -> None:
    make = Maker()
    kept(make)
    left = cache.folder() / f".rows-{'a' * 32}.1234.unfinished"
    left.touch()
    other = cache.folder() / f".rows-{'b' * 32}.1234.unfinished"
    other.touch()  # another process may be writing it
    files()[0].unlink()
    kept(make)
    assert [left.exists(), other.exists()] == [False, True]


def test_an_error_is_passed_on_and_leaves_nothing() -> None:
    def fail() -> cache.Kept:
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        cache.kept("rows", "a" * 64, fail)
    assert files() == []
    kept(Maker())


def test_what_nobody_wants_kept_is_not() -> None:
    make = Maker()
    cache.kept("rows", None, make)
    cache.kept("rows", "a" * 64, make, worth=False)
    datasets.disable_caching()
    try:
        cache.kept("rows", "a" * 64, make)
    finally:
        datasets.enable_caching()
    assert make.times == 3
    assert not cache.folder().exists()


def test_rows_in_another_order_are_kept_in_it() -> None:
    """A table of `datasets` may be an order over another one's rows."""
    table = datasets.Dataset.from_dict(ROWS)
    shuffled = table.select([3, 1, 2])
    found = cache.kept("rows", "c" * 64, lambda: cache.Kept(shuffled))
    assert found.table["label"][:] == [3, 1, 2]


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_other_parts_make_another_key(one: list[str], other: list[str]) -> None:
    assert (cache.key(*one) == cache.key(*other)) == (one == other)
