import os
from pathlib import Path

import datasets
import pytest

import tasks


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep what `datasets` caches for these tests out of the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def glue_folder():
    """The folder of real GLUE files beside this repository; tests that need it skip without it."""
    default = Path(__file__).parents[2].parent / "shared" / "glue"
    folder = Path(os.environ.get("PARETUNE_GLUE", default))
    if not folder.is_dir():
        pytest.skip("no real GLUE files here; PARETUNE_GLUE can name a folder of the nyu-mll/glue layout")
    return folder


@pytest.fixture(scope="session")
def e2e_folder():
    """The folder of E2E's files beside this repository; tests that need it skip without it."""
    folder = Path(os.environ.get("PARETUNE_E2E", Path(__file__).parents[2].parent / "shared" / "e2e"))
    if not folder.is_dir():
        pytest.skip(
            "no files of E2E here; PARETUNE_E2E can name a folder with test-*.parquet and train-*.parquet"
        )
    return folder


@pytest.fixture(scope="session")
def loaded(tmp_path_factory):
    """`loaded(name, data=None)`: like tasks.load, but each task is read once per session."""
    kept = {}
    cache = str(tmp_path_factory.mktemp("cache"))

    def load(name, data=None):
        if name not in kept:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
                kept[name] = tasks.load(name, data)
        return kept[name]

    return load


@pytest.fixture
def made_folder(tmp_path):
    """`made_folder(spec, ...)`: small parquet files in the hub's layout, returned as the --data folder."""

    def make(spec, train=60, report=12, change=None, further=8):
        source = spec.source
        folder = tmp_path / "made" / source.config
        folder.mkdir(parents=True)
        read = spec.text_columns if source.joined is None else source.joined.columns
        counts = {source.train_split: train, source.report_split: report}
        for split, rows in (counts | {one.split: further for one in source.further_splits}).items():
            columns = {column: [f"{split} {column} number {row}" for row in range(rows)] for column in read}
            for column, value, _ in () if source.joined is None else source.joined.words:
                columns[column] = [value] * rows
            classes = spec.num_labels
            columns[spec.label_column] = [
                row % classes if spec.labels else row % 51 / 10 for row in range(rows)
            ]
            columns["idx"] = list(range(rows))
            if change:
                columns = change(split, columns)
            table = datasets.Dataset.from_dict(columns)
            with (folder / f"{split}-00000-of-00001.parquet").open("wb") as stream:
                table.to_pandas().to_parquet(stream)
        return str(tmp_path / "made")

    return make
