"""The run for a card, dry on the CPU: every part is measured, and nothing stops it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods.prefix import Prefix
from reports.records.latency_files import read_latencies
from reports.records.serving_files import read_servings
from reports.records.store import read_records
from runners import device
from runners.measure import deployment, machine

from .measure import __main__ as run
from .measure import sizes as kinds
from .measure import table1
from .measure.document import Document, Item
from .measure.invariants import Case, check

pytestmark = pytest.mark.skipif(
    device.accelerator().device.type != "cpu", reason="a dry run is for machines without a card"
)


DRY = kinds.dry


def smaller(model: str) -> kinds.Sizes:
    """One case of each kind."""
    dry = DRY(model)
    (bert, changes), *_ = dry.bases.items()
    return dataclasses.replace(
        dry, bases={bert: changes}, dtypes=("bfloat16",), attentions=("sdpa",), shapes=dry.shapes[:1]
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A dry run in which one method raises wherever it is put into a model."""
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.kinds, "dry", smaller)
        patch.setattr(Prefix, "inject", _planted)
        for module in (deployment, machine):  # as for all tests of trials
            patch.setattr(module, "measure", partial(module.measure, seconds=0.03))
        code = run.main(["--out", str(folder), "--device", "cpu", "--methods", "prefix,lora"])
    return {"folder": folder, "code": code, **json.loads((folder / "measured.json").read_text())}


def _planted(self: Any, anatomy: Any, options: Any) -> Any:
    raise RuntimeError("planted")


def test_every_part_is_measured_and_a_fault_stops_nothing(found: dict[str, Any]) -> None:
    assert list(found["parts"]) == [
        *("invariants", "memory", "trials", "table1", "serving", "latency", "compiled", "board")
    ]
    assert found["code"] == 1
    for name, part in found["parts"].items():
        assert part["items"]
        assert not part["left_out"]
        assert part["seconds"] >= part["items"][0]["seconds"]
        for item in part["items"]:
            assert item["ok"] == (item.get("method") != "prefix"), (name, item)
    memory, compiled = (found["parts"][name]["items"] for name in ("memory", "compiled"))
    assert "planted" in memory[1]["message"]
    assert {item["method"] for item in memory + compiled} == {"lora", "prefix"}


def test_what_is_measured_is_what_is_predicted(found: dict[str, Any]) -> None:
    (lora,) = [item for item in found["parts"]["memory"]["items"] if item["method"] == "lora"]
    assert (lora["measured"]["how"], lora["predicted"]["how"]) == ("tensors", "fake_tensors")
    assert all(abs(share) < 0.03 for share in lora["off"].values())


def test_trials_leave_valid_records(found: dict[str, Any]) -> None:
    trial = found["parts"]["trials"]["items"][0]
    assert trial["status"] == "completed"
    assert 0 <= trial["score"]["accuracy"] <= 1
    assert list((found["folder"] / "records" / trial["records"]).glob("*.json"))


def test_table_1_serving_and_the_board_leave_records(found: dict[str, Any]) -> None:
    """They are of the kinds that the site shows."""
    records = found["folder"] / "records"
    (cell,) = read_latencies(records / "latency-small-batch")
    assert cell.entries[0].label == "base"
    (served,) = read_servings(records / "serving")
    assert [one.tasks for one in served.stored] == [1, 3]
    assert served.arrivals is not None
    (trial,) = read_records(records / "gpu-board")
    assert (trial.status, trial.spec["method"], trial.latency is not None) == ("completed", "lora", True)


def test_the_inputs_that_the_paper_prints_come_first() -> None:
    cells = [item.about["cell"] for item in table1.items(kinds.Sizes(), Path("nowhere"))]
    assert cells[:3] == ["batch 1, 128 tokens", "batch 16, 256 tokens", "batch 32, 512 tokens"]
    assert len(cells) == 9


def test_the_page_says_what_it_is_of(found: dict[str, Any]) -> None:
    page = (found["folder"] / "measured.md").read_text()
    assert "dry run on a CPU" in page
    assert found["environment"]["packages"]["torch"] in page
    assert "RuntimeError: planted" in page
    assert all(f"\n## {name.capitalize()}\n" in page for name in found["parts"])


def test_a_folder_with_a_run_is_left_alone(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    before = (found["folder"] / "measured.json").read_bytes()
    assert run.main(["--out", str(found["folder"]), "--device", "cpu"]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert (found["folder"] / "measured.json").read_bytes() == before


def test_without_a_card_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "torch finds a cpu here, expected cuda.\n"
    assert not list(tmp_path.iterdir())


def test_what_the_time_does_not_allow_is_named_and_what_was_found_is_kept(tmp_path: Path) -> None:
    content = {
        "started_at": "now",
        "environment": dict.fromkeys(("commit", "tree_clean", "python"))
        | {"packages": {}, "device": "cuda", "device_name": "a card"},
        "machine": {"cuda": "13.0"},
        "parts": {},
    }
    document = Document(tmp_path, content)
    ends = time.monotonic() + 0.05

    def slow() -> dict[str, Any]:
        time.sleep(0.06)
        return {"deviation": float("nan")}

    names = ("lora", "dora")
    items = [Item({"method": name, "base": "b", "dtype": "d", "attention": "a"}, slow) for name in names]
    document.measure("compiled", items, ends, lambda: None)
    (part,) = json.loads((tmp_path / "measured.json").read_text())["parts"].values()
    assert [item["method"] for item in part["items"]] == ["lora"]
    assert part["items"][0]["deviation"] == "nan"
    assert [about["method"] for about in part["left_out"]] == ["dora"]
    assert not document.is_good
    assert "the time was up for 1 more" in (tmp_path / "measured.md").read_text()


class Off(torch.nn.Module):
    """An output that is a little off, but only where a batch has several rows."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.inner(x)
        return out * (1 + 0.01 * (len(out) > 1))


def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body whose rows depend on each other fails that check, and every check that is exact holds."""
    case = Case("lora", "bert", "classify", "float32", "sdpa", ())
    assert check(case)["ok"]
    whole = Case.base

    def broken(self: Case, attention: str | None = None) -> Any:
        model = whole(self, attention)
        model.classifier = Off(model.classifier)
        return model

    monkeypatch.setattr(Case, "base", broken)
    checks = check(case)["checks"]
    assert [name for name, one in checks.items() if not one["ok"]] == ["rows"]
    assert checks["rows"]["deviation"] == pytest.approx(0.01, rel=0.1)


def test_on_a_card_every_method_is_measured() -> None:
    sizes = kinds.Sizes()
    assert sizes.methods == methods.names()
    assert {"lora", "full"} <= set(sizes.trained_methods)
    assert sizes.backend == "inductor"


def test_every_package_that_is_carried_is_pinned() -> None:
    folder = Path(__file__).parent
    pinned = {
        line.split("==")[0] for line in (folder.parents[1] / "constraints.txt").read_text().splitlines()
    }
    named = [*(folder / "needs.txt").read_text().split("\n"), *(folder / "large.txt").read_text().split("\n")]
    names = {name for name in named if name and not name.startswith("#")}
    assert names <= pinned
    assert "torch" not in names


def test_wheels_are_not_put_where_they_do_not_work(tmp_path: Path) -> None:
    script = Path(__file__).parent / "wheels.sh"
    done = subprocess.run(
        ("sh", str(script), "install", str(tmp_path), str(tmp_path / "site")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "expected one that is called site-packages" in done.stderr
