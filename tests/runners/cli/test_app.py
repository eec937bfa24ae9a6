from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertForSequenceClassification, pipeline

import methods
from methods.peft.format import TENSORS
from runners import models, processes
from runners.cli import app as cli
from runners.plan.contenders import parse_option
from runners.plan.errors import SpecError

from ..command import paretune


@pytest.fixture
def study_file(tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    content = {"models": [tiny_model], "tasks": ["cola"], "methods": ["head", "lora"], "data": glue_folder}
    path.write_text(
        yaml.safe_dump(content | {"protocol": quick, "costs": {"latency_rounds": 10, "latency_length": 8}})
    )
    return path


def test_run_then_report(study_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, site = tmp_path / "out", tmp_path / "site"
    assert paretune("run", str(study_file), "--out", str(out)) == 0
    shown = capsys.readouterr()
    assert "mine: fixed settings." in shown.err
    assert "[2/2] cola / lora / seed 0: matthews_correlation" in shown.err
    assert "Settings: fixed settings" in shown.out
    assert paretune("run", str(study_file), "--out", str(out), "--json") == 0
    shown = capsys.readouterr()
    assert "2 of 2 trials have a record already" in shown.err
    assert [r["status"] for r in json.loads(shown.out)] == ["completed", "completed"]
    for share, path in zip((0.0, 0.5), out.glob("*.json"), strict=True):
        record = json.loads(path.read_text())
        assert record["training"]["step_ms_p50"] > 0
        record["training"]["waited_share"] = share
        path.write_text(json.dumps(record))
    assert paretune("run", str(study_file), "--out", str(out)) == 0
    said = "1 of 2 trials was trained on a busy machine: its threads waited 50 % of the time"
    assert said in capsys.readouterr().err
    assert paretune("report", str(out), "--out", str(site)) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == (site / "index.html").resolve()
    tables = {f"table.{kind}" for kind in ("md", "csv", "json", "tex", "parquet")}
    assert {"index.html", "protocol.html", "tasks", "methods", "records", *tables} <= {
        p.name for p in site.iterdir()
    }
    assert "lora" in page.read_text()


def test_a_study_is_typed_and_gone_on_with_from_its_file(
    tiny_model: str,
    glue_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = ["run", "--model", tiny_model, "--task", "cola", "--method", "lora:rank=2", "--method", "head"]
    typed += ["--seeds", "2", "--steps", "4", "--data", glue_folder, "--protocol", "batch_size=8"]
    typed += ["--limit", "20", "--no-costs"]
    assert paretune(*typed, "--only", "method=head", "--only", "seed=1", "--json") == 0
    (alone,) = json.loads(capsys.readouterr().out)
    assert (alone["spec"]["method"], alone["spec"]["seed"]) == ("head", 1)
    assert alone["task"]["sizes"] == {"train": 20, "selection": 20, "report": 20}
    assert alone["spec"]["protocol"]["batch_size"] == 8
    assert (alone["latency"], alone["gaps"]) == (None, {})
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name == f"{Path(tiny_model).name}-cola"
    assert paretune("run", str(folder / "study.yaml"), "--only", "method=head", "--json") == 0  # one more
    assert [row["spec"]["seed"] for row in json.loads(capsys.readouterr().out)] == [0, 1]
    assert paretune(*typed, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 4
    assert len(list(folder.glob("*.json"))) == 4
    assert [path.name for path in folder.glob("*.yaml")] == ["study.yaml"]
    part = ["--part", "2/2", "--only", "method=head", "--limit", "9"]
    assert paretune("run", str(folder / "study.yaml"), *part) == 0


def test_a_tuned_study_runs_and_says_so_everywhere(
    study_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(study_file.read_text())
    study_file.write_text(yaml.safe_dump(content | {"tuning": {"trials": 2, "protocol": {"steps": 2}}}))
    out, site = tmp_path / "out", tmp_path / "site"
    assert paretune("run", str(study_file), "--out", str(out)) == 0
    shown = capsys.readouterr()
    assert "mine: tuned: 2 trials each, by halving." in shown.err
    assert "[4/4] cola / lora: matthews_correlation" in shown.err
    assert "[2/2] cola / lora / seed 0: matthews_correlation" in shown.err
    assert "Settings: tuned: 2 trials each, by halving" in shown.out
    assert paretune("run", str(study_file), "--out", str(out), "--json") == 0
    records = json.loads(capsys.readouterr().out)
    assert [r["tuning"]["trials"] for r in records] == [2, 2]
    assert len(list((out / "search").glob("*.search.json"))) == 4
    assert paretune("report", str(out), "--out", str(site)) == 0
    assert "; tuned: 2 trials each, by halving." in (site / "index.html").read_text()
    assert "Tuned: 2 trials each, by halving." in (site / "table.md").read_text()


def test_methods_and_studies_show_what_is_searched(capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("methods") == 0
    assert "searched: learning_rate 0.0002 to 0.03; rank 4, 8, 16" in capsys.readouterr().out
    assert paretune("methods", "--json") == 0
    spaces = {row["name"]: row["search_space"] for row in json.loads(capsys.readouterr().out)}
    assert spaces["lora"] == {"learning_rate": {"low": 2e-4, "high": 3e-2}, "rank": {"values": [4, 8, 16]}}
    assert set(spaces) == set(methods.names())
    assert paretune("studies", "--json") == 0
    settings = {row["name"]: row["settings"] for row in json.loads(capsys.readouterr().out)}
    assert settings["demo"] == "fixed settings"
    assert settings["tuned-glue"] == "tuned: 4 trials each, by halving"
    assert settings["latency-small-batch"] is None


def test_failed_trials_show_in_the_exit_code(
    study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from runners.trials import trial

    def explode(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no luck")

    monkeypatch.setattr(trial.loop, "fit", explode)
    assert paretune("run", str(study_file), "--out", str(tmp_path / "out")) == 1
    said = capsys.readouterr().err
    assert "failed: RuntimeError: no luck" in said
    assert "2 of 2 trials failed or ran out of memory: cola / head / seed 0 and cola / lora / seed 0." in said
    assert "The same command with --retry runs what failed again" in said


def test_count_matches_the_known_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("count", "embedded", "lora", "rank=8", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["base"], result["method"], result["head"]) == (22_713_216, 73_728, 770)
    assert paretune("count", "embedded", "prefix", "length=30", "hidden=512") == 0
    shown = capsys.readouterr().out
    assert "2,572,544" in shown
    assert "138,240" in shown  # kept in a checkpoint


def test_count_reads_a_config_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"model_type": "roberta", "max_position_embeddings": 514, "vocab_size": 50265})
    )
    assert paretune("count", str(path), "lora", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["method"] == 294_912
    assert result["head"] == 592_130
    assert list((tmp_path / "cache" / "paretune").rglob("*.json"))
    assert paretune("count", str(path), "lora", "--json") == 0
    assert json.loads(capsys.readouterr().out) == result


def test_methods_on_a_model_say_what_they_can_do(tiny_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("methods", "--model", tiny_model, "--json") == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(methods.names())
    for row in rows.values():
        assert row["can"] == {act: act not in row["why_not"] for act in methods.ACTS}
    assert rows["lora"]["can"] == {"train": True, "merge": True, "generate": False, "export": True}
    assert rows["houlsby"]["why_not"]["merge"] == "houlsby cannot be merged into the base weights."
    assert "writes no text" in rows["full"]["why_not"]["generate"]
    assert paretune("methods", "--model", tiny_model) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[: len(rows) + 1]] == ["method", *rows]
    assert shown.count("it cannot be merged into the base weights.") == 1
    assert paretune("methods", "--model", "./nowhere") == 2
    assert "there is no model at './nowhere'" in capsys.readouterr().err


# From the configurations of the hub's openai/gpt-oss-20b and mistralai/Mixtral-8x7B-v0.1, and by hand:
# r (in + out) for query and value of every block, 8 (2880 + 64 64) + 8 (2880 + 8 64) = 82,944, 24 times;
# 8 (4096 + 4096) + 8 (4096 + 8 128) = 106,496, 32 times. Whole models: 20.9 and 46.7 thousand million.
LARGE: dict[str, tuple[dict[str, Any], int, int]] = {
    "gpt-oss-20b": (
        {
            **{"model_type": "gpt_oss", "vocab_size": 201088, "num_hidden_layers": 24, "hidden_size": 2880},
            **{"intermediate_size": 2880, "num_attention_heads": 64, "num_key_value_heads": 8},
            **{"head_dim": 64, "num_local_experts": 32, "num_experts_per_tok": 4},
        },
        24 * 82_944,
        20_914_757_184,
    ),
    "mixtral-8x7b": (
        {
            **{"model_type": "mixtral", "vocab_size": 32000, "num_hidden_layers": 32, "hidden_size": 4096},
            **{"intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8},
            **{"num_local_experts": 8, "num_experts_per_tok": 2},
        },
        32 * 106_496,
        46_702_792_704,
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_mixtures_of_experts_are_counted_from_their_configurations(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sizes, expected, whole = LARGE[name]
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    for model in (name, str(tmp_path)):
        assert paretune("count", model, "lora", "rank=8", "target=query,value", "--json") == 0
        counted = json.loads(capsys.readouterr().out)
        assert counted["method"] == counted["parts"]["updates"] == expected
    writer = models.writer(name)
    assert writer is not None
    assert methods.apply(writer, "lora", rank=8).parameter_counts() == {
        **{"base": whole, "method": expected, "head": 0, "trainable": expected}
    }


def trained(folder: Path, labels: int = 3, **changes: Any) -> Path:
    """A checkpoint of a LoRA on a model with three classes."""
    torch.manual_seed(0)
    config = models.config("embedded")
    config.num_labels = labels
    adapted = methods.apply(BertForSequenceClassification(config), "lora", rank=2)
    for parameter in adapted.trained().values():
        parameter.data.add_(0.1)
    adapted.save(folder)
    manifest = json.loads((folder / "paretune.json").read_text())
    (folder / "paretune.json").write_text(json.dumps(manifest | changes))
    return folder


def test_export_needs_no_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, base = trained(tmp_path / "checkpoint"), models.location("embedded")
    assert paretune("export", str(checkpoint), "--format", "peft") == 0
    shown = capsys.readouterr()
    folder = Path(shown.out.strip())
    assert folder == checkpoint / "peft"
    assert shown.err.strip().endswith(f"ForSequenceClassification.from_pretrained({base!r}, num_labels=3).")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == base
    kept, written = load_file(checkpoint / "paretune.safetensors"), load_file(folder / TENSORS)
    assert len(kept) == len(written) == 2 * 6 * 2 + 2
    assert torch.equal(written["base_model.model.classifier.weight"], kept["head.classifier.weight"])
    other = tmp_path / "other"
    arguments = ["export", str(checkpoint), "--model", "embedded", "--out", str(other), "--json"]
    assert paretune(*arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["folder"], told["base"]) == (str(other), "embedded")
    assert told["bytes"] == {file.name: file.stat().st_size for file in other.iterdir()}
    assert (other / TENSORS).read_bytes() == (folder / TENSORS).read_bytes()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_what_export_says_of_the_base_gives_the_score_in_a_pipeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A score stays a score: without the problem type a pipeline would give its sigmoid."""
    checkpoint = trained(tmp_path / "checkpoint", labels=1)
    assert paretune("export", str(checkpoint)) == 0
    shown = capsys.readouterr()
    call = shown.err.strip().split("peft: ")[1].removesuffix(".")
    base = eval(call, {"BertForSequenceClassification": BertForSequenceClassification})
    model: Any = PeftModel.from_pretrained(base, shown.out.strip()).eval()
    tokenizer = AutoTokenizer.from_pretrained(models.location("embedded"))
    with torch.no_grad():
        score = model(**tokenizer("a film", return_tensors="pt")).logits.item()
    answer = pipeline("text-classification", model=model, tokenizer=tokenizer)("a film")
    assert answer[0]["score"] == pytest.approx(score, rel=1e-5)


def test_export_says_what_is_wrong(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(trained(tmp_path / "embedded"))
    nameless = str(trained(tmp_path / "nameless", model={}))
    strange = str(trained(tmp_path / "strange", model={"name": "embedded", "class": "pipeline"}))
    for arguments, words in [
        (["nowhere"], "no paretune.json"),
        ([checkpoint, "--format", "pft"], "did you mean peft"),
        ([checkpoint, "--model", tiny_model], "does not fit BertForSequenceClassification (bert)"),
        (
            [checkpoint, "--model", "roberta-base"],
            "is a roberta, expected one for a BertForSequenceClassification",
        ),
        ([nameless], "give its base with --model"),
        ([strange], "no model class 'pipeline'"),
    ]:
        assert paretune("export", *arguments) == 2
        shown = capsys.readouterr()
        assert words in shown.err
        assert len(shown.err.strip().splitlines()) == 1
        assert shown.out == ""


@pytest.mark.parametrize("command", ["methods", "tasks", "studies"])
def test_lists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune(command) == 0
    shown = capsys.readouterr().out
    assert paretune(command, "--json") == 0
    for row in json.loads(capsys.readouterr().out):
        assert row["name"] in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["count", "embedded", "lra"], "did you mean lora"),
        (["count", "embedded", "lora", "rnk=8"], "did you mean rank"),
        (["count", "embedded", "lora", "rank"], "expected KEY=VALUE"),
        (["count", "embedded", "lora:rank=2", "rank=4"], "received the option 'rank' twice"),
        (["memory", "embedded", "rank=4"], "received rank=4 beside no method"),
        (["flops", "embedded", "lora"], "received 'lora', expected --method lora"),
        (["latency", "embedded", "--method", "lora", "--method", "lin", "rank=4"], "beside 2 methods"),
        (["intrinsic", "embedded", "cola", "dimension=4"], "beside no method"),
        (["run", "--task", "cola", "--method", "lora", "rnk=4"], "did you mean rank"),
        (["run", "demo", "rank=4"], "received the study 'demo' and KEY=VALUE, expected one of the two"),
        (["claims", "--list", "--workers", "1"], "leave out --workers"),
        (["run", "latency-small-batch", "--retry", "--wandb"], "leave out --wandb and --retry"),
        (["count", "embedded", "lora", "rank=eight"], "rank='eight'"),
        (["count", "./nowhere", "lora"], "there is no model at './nowhere'"),
        (["run", "dmo"], "did you mean demo"),
        (["run"], "received neither a study nor --task"),
        (["run", "--task", "colla", "--method", "lora"], "did you mean cola"),
        (["run", "--task", "cola", "--method", "lroa"], "did you mean lora"),
        (["run", "--task", "cola", "--method", "lora", "--seeds", "many"], "received --seeds 'many'"),
        (["run", "--task", "cola", "--method", "lora", "--protocol", "stesp=2"], "did you mean steps"),
        (["run", "demo", "--task", "cola"], "received the study 'demo' and --task, expected one of the two"),
        (["run", "demo", "--no-costs"], "a study says what is run, as `costs: none`, and --only"),
        (
            ["run", "--task", "train.csv", "--method", "head"],
            "`paretune check-data train.csv` tells; did you",
        ),
        (["run", "demo", "--only", "method=lroa"], "has no such method; did you mean lora"),
        (["run", "demo", "--only", "method=full", "--dry-run", "--only", "seed=1"], "has no such seed"),
        (["run", "intrinsic", "--only", "seed=0"], "leave out --only"),
        (["run", "latency-small-batch", "--limit", "3"], "leave out --limit"),
        (["latency", "embedded", "--method", "lroa"], "did you mean lora"),
        (["flops", "embedded", "--method", "lora:rnk=2"], "did you mean rank"),
        (["flops", "embedded", "--length", "600"], "takes 512 at the most"),
        (["latency", "embedded", "--method", "lora:rank"], "expected KEY=VALUE"),
        (["latency", "embedded", "--batch", "one"], "received --batch 'one'"),
        (["latency", "embedded", "--dtype", "half"], "float16"),
        (["latency", "embedded", "--method", "prompt", "--length", "500"], "prompt leaves 492"),
        (["latency", "embedded", "--method", "lora", "--decode", "2"], "no causal language model"),
        (["report", "nowhere", "--out", "site"], "nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_code_two(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune(*arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_a_missing_data_folder_loses_nothing(
    study_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert paretune("run", str(study_file), "--out", str(out), "--data", "no-such-folder") == 2
    assert "no-such-folder" in capsys.readouterr().err
    assert not list(out.glob("*.json"))


def test_a_bug_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(**_: Any) -> None:
        raise ValueError("internal")

    monkeypatch.setattr(cli, "app", explode)
    with pytest.raises(ValueError, match="internal"):
        cli.main()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rank=8", ("rank", 8)),
        ("hidden=none", ("hidden", None)),
        ("target=query,key", ("target", "query,key")),
    ],
)
def test_parse_option(text: str, expected: tuple[str, Any]) -> None:
    assert parse_option(text) == expected


@pytest.mark.parametrize("arguments", [["methods"], ["run", "latency-small-batch"]])
def test_what_several_processes_cannot_share_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One process would wait for others that have nothing to do, or all would write one file."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(processes, "together", contextlib.nullcontext)  # there is no other
    assert paretune(*arguments) == 2
    said = capsys.readouterr().err
    assert "runs in one process, received 2: start it without a launcher." in said
    assert said.count("\n") == 1
    monkeypatch.setenv("RANK", "1")
    assert paretune(*arguments) == 2
    assert capsys.readouterr().err == ""


def test_parse_option_refuses_what_has_no_key() -> None:
    with pytest.raises(SpecError):
        parse_option("=3")


def test_latency_prints_keeps_and_reports(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "kept"
    quick = ["--batch", "1,2", "--length", "4", "--seconds", "0.3", "--width", "0.9", "--out", str(where)]
    assert paretune("latency", tiny_model, "--method", "lora:rank=2", *quick) == 0
    shown = capsys.readouterr().out
    assert "base again" in shown
    assert "A/A: the base against itself" in shown
    assert paretune("latency", tiny_model, "--method", "lora:rank=2", *quick, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["batch_size"] for row in rows] == [1, 2]
    assert len(list(where.glob("*.latency.json"))) == 2
    assert paretune("report", str(where), "--out", str(tmp_path / "site")) == 0
    assert capsys.readouterr().out.strip().endswith("latency.html")


def test_a_latency_study_runs_like_any_other(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = {"kind": "latency", "name": "quick", "model": tiny_model, "methods": ["lora"], "seconds": 0.3}
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump(study | {"cells": [{"batch": 1, "length": 4}]}))
    asked = (["--keep-models"], ["--checkpoint-every", "5"], ["--workers", "1"], ["--part", "1/2"])
    for given in asked:  # rather than passed over
        assert paretune("run", str(path), "--out", str(tmp_path / "out"), *given) == 2
        assert "a study of latency trains nothing" in capsys.readouterr().err
    assert paretune("run", str(path), "--out", str(tmp_path / "out")) == 0
    assert "Page:" in capsys.readouterr().out
    assert paretune("run", str(path), "--out", str(tmp_path / "out"), "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
