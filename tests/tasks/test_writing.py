import pytest

import tasks
from tasks.splits import normalise

E2E = tasks.get("e2e")


def rows(count, references, split):
    """Inputs with so many references each, as the columns of a file."""
    inputs = [f"{split} input {index}" for index in range(count) for _ in range(references)]
    return {
        "meaning_representation": inputs,
        "human_reference": [f"what {text} is, {index}" for index, text in enumerate(inputs)],
    }


def folder_of(tmp_path, train, report, inside=""):
    import pandas

    where = tmp_path / "files" / inside
    where.mkdir(parents=True)
    for split, columns in (("train", train), ("test", report)):
        pandas.DataFrame(columns).to_parquet(where / f"{split}-00000-of-00001.parquet")
    return str(tmp_path / "files")


@pytest.mark.parametrize("inside", ["", "default", "e2e"])
def test_training_has_a_row_per_pair_and_the_others_a_row_per_input(tmp_path, inside):
    train, report = rows(40, 3, "train"), rows(5, 4, "test")
    for name in report:  # an input of the test set, in other letters
        train[name] += [report[name][0].upper()]
    data = tasks.load("e2e", folder_of(tmp_path, train, report, inside))
    assert data.sizes == {"train": 108, "selection": 4, "report": 5}
    assert data.dropped_train_examples == 1
    assert data.train.column_names == ["text", "target"]
    assert data.selection.column_names == data.report.column_names == ["text", "references"]
    assert [len(several) for several in data.selection["references"]] == [3] * 4
    assert [len(several) for several in data.report["references"]] == [4] * 5
    splits = (data.train, data.selection, data.report)
    seen = [text for split in splits for text in {normalise(text) for text in split["text"]}]
    assert len(seen) == len(set(seen))
    pairs = set(zip(train["meaning_representation"], train["human_reference"], strict=True))
    kept = [*zip(data.train["text"], data.train["target"], strict=True)]
    kept += [(row["text"], one) for row in data.selection for one in row["references"]]
    assert set(kept) == {pair for pair in pairs if not pair[0].isupper()}


def test_the_hash_sees_targets_and_not_the_order_of_rows(tmp_path):
    train, report = rows(30, 2, "train"), rows(5, 2, "test")
    before = tasks.load("e2e", folder_of(tmp_path / "a", train, report))
    turned = {name: values[::-1] for name, values in train.items()}
    after = tasks.load("e2e", folder_of(tmp_path / "b", turned, report))
    assert after.sha256 == before.sha256
    assert after.train[:] == before.train[:]
    turned["human_reference"][3] += "!"
    assert tasks.load("e2e", folder_of(tmp_path / "c", turned, report)).sha256 != before.sha256


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_target_that_is_missing_is_refused_with_its_row(tmp_path, value):
    train, report = rows(30, 2, "train"), rows(5, 2, "test")
    report["human_reference"][7] = value
    with pytest.raises(
        tasks.DataError, match=r"^task 'e2e': row 7 of the split 'test' has .* human_reference"
    ):
        tasks.load("e2e", folder_of(tmp_path, train, report))


def test_a_folder_of_the_tasks_name_without_its_files_hides_nothing(tmp_path):
    folder = folder_of(tmp_path, rows(30, 2, "train"), rows(5, 2, "test"))
    (tmp_path / "files" / "e2e").mkdir()
    assert tasks.load("e2e", folder).sizes["report"] == 5


def test_a_folder_without_the_files_is_told_the_layout(tmp_path):
    said = r"takes a folder with train-\*\.parquet, the layout of tuetschek.*, or one that has it in e2e/$"
    with pytest.raises(tasks.DataError, match=said):
        tasks.load("e2e", str(tmp_path))


def test_e2es_own_files_hold_several_references_per_input(e2e_folder):
    data = tasks.load("e2e", str(e2e_folder))
    assert data.sizes == {"train": 4205, "selection": 57, "report": 630}  # 630 inputs: Novikova et al. 2017
    assert sum(len(several) for several in data.report["references"]) == 4693
    assert sum(len(several) for several in data.selection["references"]) == 467
    assert "train has 4672 rows, officially 42061" in data.source
    first = data.report["references"][0]
    assert tasks.score(E2E, [first[0]], [first])["bleu"] == pytest.approx(1)
