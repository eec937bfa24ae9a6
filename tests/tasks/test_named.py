"""Files whose labels are numbers that each of them names for itself."""

from pathlib import Path

import datasets
import pytest

import tasks
from tasks import glue, reading


def named(file: Path, names: tuple[str, ...], to: Path) -> None:
    """The same rows, whose labels are saved by `datasets` as numbers of these names."""
    rows = datasets.Dataset.from_parquet(str(file)).to_dict()
    rows["label"] = [-1 if label < 0 else names.index(glue.RTE.labels[label]) for label in rows["label"]]
    features = datasets.Dataset.from_dict(rows).features | {"label": datasets.ClassLabel(names=list(names))}
    with reading.quiet():
        datasets.Dataset.from_dict(rows, features=datasets.Features(features)).to_parquet(to / file.name)


def test_a_number_is_the_label_that_its_file_says(made_folder, tmp_path):
    folder = Path(made_folder(glue.RTE))
    before = tasks.load("rte", str(folder))
    (tmp_path / "rte").mkdir()
    for split, names in (("train", glue.RTE.labels), ("validation", glue.RTE.labels[::-1])):
        (file,) = (folder / "rte").glob(f"{split}-*")
        named(file, names, tmp_path / "rte")
    after = tasks.load("rte", str(tmp_path))
    assert after.report[:] == before.report[:]
    assert after.sha256 == before.sha256


def test_where_a_file_has_other_words_than_the_task_all_have_these_in_one_order(made_folder, tmp_path):
    folder = Path(made_folder(glue.RTE))
    (tmp_path / "rte").mkdir()

    def load(*orders):
        for split, names in zip(("train", "validation"), orders, strict=True):
            (file,) = (folder / "rte").glob(f"{split}-*")
            rows = datasets.Dataset.from_parquet(str(file))
            with reading.quiet():
                kinds = datasets.ClassLabel(names=list(names))
                rows.cast_column("label", kinds).to_parquet(tmp_path / "rte" / file.name)
        return tasks.load("rte", str(tmp_path))

    assert load(["ja", "nein"], ["ja", "nein"]).sha256 == tasks.load("rte", str(folder)).sha256
    for one, other in ((["ja", "nein"], ["nein", "ja"]), (["ja", "nein"], glue.RTE.labels)):
        for orders in ((one, other), (other, one)):
            with pytest.raises(tasks.DataError, match=r"labels 0, 1 \.\.\. are '.*-00.* and '.*in both$"):
                load(*orders)
