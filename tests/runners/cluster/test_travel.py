"""What lies in a folder of one machine is found on another one by its hash, or unpacked there once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runners import weights
from runners.cluster import travel
from runners.plan.costs import CostSettings
from runners.plan.spec import TrialSpec
from runners.trials.beside import Contents


def stored(contents: Contents) -> Contents:
    return {name: content.copy() for name, content in contents.items()}


def test_a_model_and_data_are_found_where_they_lie_or_unpacked(
    tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    data = Path(shutil.copytree(glue_folder, tmp_path / "data"))
    spec = TrialSpec(model=str(model), task="cola", method="head", data=str(data))
    asked: list[Contents] = []

    def fetch(load: Contents) -> Contents:
        asked.append(load)
        return load

    for freight in (travel.of_model(spec, stored), travel.of_data(spec, stored)):
        assert freight is not None
        assert str(travel.arrived(freight, tmp_path / "cache", fetch)) == freight.folder
        assert not asked
    loads = travel.of_model(spec, stored), travel.of_data(spec, stored)
    files = {path: path.read_bytes() for path in (data / "cola").glob("*.parquet")}
    (model / "config.json").write_text("{}")  # other files under the same name
    shutil.rmtree(data)
    places = [travel.arrived(one, tmp_path / "cache", fetch) for one in loads if one is not None]
    assert weights.of_model(places[0]) == spec.model_sha256
    assert {
        path: (places[1] / path.relative_to(data)).read_bytes() for path in files if "cola" in str(path)
    } == {path: content for path, content in files.items() if "cola" in str(path)}
    assert not (places[1] / "stsb").exists()  # another task's
    assert len(asked) == 2
    assert [travel.arrived(one, tmp_path / "cache", fetch) for one in loads if one is not None] == places
    assert len(asked) == 2
    assert sorted((tmp_path / "cache").iterdir()) == sorted(places)


def test_files_travel_where_a_configuration_has_no_folder(tmp_path: Path) -> None:
    for name in ("train-0.parquet", "test-0.parquet"):
        (tmp_path / name).write_bytes(b"rows")
    for inside, following in ((".", "default"), ("default", "ag_news"), ("ag_news", "rest")):
        spec = TrialSpec(model="embedded", task="ag_news", method="head", data=str(tmp_path))
        freight = travel.of_data(spec, stored)
        assert freight is not None
        assert {str(Path(name).parent) for name in freight.names} == {inside}
        assert len(freight.names) == 2
        (tmp_path / following).mkdir()
        for name in ("train-0.parquet", "test-0.parquet"):
            (tmp_path / following / name).write_bytes(f"rows in {following}".encode())


def test_files_of_another_layout_travel_too(tmp_path: Path) -> None:
    for name in ("train.json", "test.json", "notes.txt"):
        (tmp_path / name).write_bytes(b"{}")
    freight = travel.of_data(
        TrialSpec(model="embedded", task="webnlg", method="head", data=str(tmp_path)), stored
    )
    assert freight is not None
    assert freight.names == ("test.json", "train.json")


def test_several_processes_of_a_machine_unpack_at_once(tiny_model: str, tmp_path: Path) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    freight = travel.of_model(TrialSpec(model=str(model), task="cola", method="head"), stored)
    assert freight is not None
    shutil.rmtree(model)
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: travel.arrived(freight, tmp_path / "cache", lambda x: x), range(8)))
    assert len(set(places)) == 1
    assert list((tmp_path / "cache").iterdir()) == [places[0]]


def test_what_needs_no_folder_does_not_travel(tiny_model: str, glue_folder: str) -> None:
    packaged = TrialSpec(model="embedded", task="rotten_tomatoes", method="head", data=glue_folder)
    assert travel.of_model(packaged, stored) is None
    assert travel.of_data(packaged, stored) is None
    assert travel.of_data(TrialSpec(model=tiny_model, task="cola", method="head"), stored) is None
    for costs in ({"forgetting": "imdb"}, None):
        assert (
            travel.of_text(packaged.model_copy(update={"costs": CostSettings.parse(costs or "none")}), stored)
            is None
        )
