"""Show that a change moves no number: the same study and the same pages by two versions of the code.

    python tests/unmoved.py COMMIT [--keep FOLDER]

COMMIT is checked out beside the working tree. Both run one study (every method of COMMIT, two tasks, 20
steps, one thread), count parameters and FLOPs and predict memory on several architectures, and build the
site from their published records, which are the same unless COMMIT has others. Compared are

* of every trial its id, spec, counts, scores, curve, measured and predicted bytes and FLOPs, to the bit;
* of the site every file, byte by byte. A line that differs in nothing but the name of a file or module of the
  project is shown and allowed.

Times and latencies are left out: they differ from run to run of one version. Exit code 0: nothing moved.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

STUDY = """\
name: unmoved
tasks:
  - rotten_tomatoes
  - imdb_pair: {max_length: 64}
methods: METHODS
protocol:
  steps: 20
  batch_size: 8
  evaluate_every: 10
  train_examples: 400
  scored_examples: 64
costs: {latency_rounds: 10}
"""
ON_SHAPES = ("embedded", "gpt2", "roberta-base", "deberta-v2-xxlarge")
"""Architectures that are known without a download, for what needs no weights."""
TIMES = ("seconds", "_ms", "per_second", "latency", "serving", "environment", "started_at", "floor")
"""Parts of a record's names that say it is a time, or of the machine."""
NAME = re.compile(r"\b(?:methods|tasks|runners|reports|tests)(?:[./][\w*]+)+(?:\.\w+)?|\b\w+\.(?:py|yaml)\b")


COUNTS = """\
import json, sys
import methods
from runners import models

found = {}
for model in sys.argv[1].split(","):
    for name in sys.argv[2].split(","):
        try:
            adapted = methods.apply(models.skeleton(model), name)
            found[f"{model} {name}"] = [adapted.parameter_counts(), adapted.parts(), adapted.stored_count()]
        except methods.MethodError as error:
            found[f"{model} {name}"] = str(error)
print(json.dumps(found))
"""
"""In one process, where the command would begin anew for every one."""


def command(tree: Path, *arguments: str) -> str:
    """What the ``paretune`` of a tree prints."""
    return python(tree, "-m", "runners.cli", *arguments)


def python(tree: Path, *arguments: str) -> str:
    """What Python prints with the packages of a tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        (sys.executable, *arguments),
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{tree}: python {' '.join(arguments)} ended with exit code {done.returncode}.")
    return done.stdout


def timeless(value: Any) -> Any:
    """A record without its times."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not any(part in k for part in TIMES)}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def numbers(tree: Path, names: list[str], folder: Path) -> dict[str, Any]:
    """Every number that must not move, by a name for people."""
    study = folder / "unmoved.yaml"
    study.write_text(STUDY.replace("METHODS", json.dumps(names)))
    found: dict[str, Any] = {}
    for record in json.loads(command(tree, "run", str(study), "--out", str(folder / "records"), "--json")):
        found[f"trial {record['spec']['task']} / {record['spec']['method']}"] = timeless(record)
    counts = json.loads(python(tree, "-c", COUNTS, ",".join(ON_SHAPES), ",".join(names)))
    found |= {f"count {key}": value for key, value in counts.items()}
    asked = [argument for name in names for argument in ("--method", name)]
    for model in ON_SHAPES[:2]:
        flops = command(tree, "flops", model, *asked, "--batch", "4", "--length", "32", "--json")
        found[f"flops {model}"] = json.loads(flops)
        predicted = ("--predict", "--batch", "4", "--length", "32", "--json")
        found[f"memory {model}"] = json.loads(command(tree, "memory", model, *asked, *predicted))
    return found


def apart(before: Any, after: Any, path: str) -> Iterator[str]:
    """Every place where two values are not the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key not in before or key not in after:
                yield f"{path}.{key} is on one side only"
            else:
                yield from apart(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from apart(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} -> {after!r}"


def site_apart(before: Path, after: Path) -> Iterator[tuple[bool, str]]:
    """Every difference of two sites: whether it is allowed, and what it is."""
    files = [
        # without the hidden ones, which say what made the others
        {p.relative_to(site) for p in site.rglob("*") if p.is_file() and not p.name.startswith(".")}
        for site in (before, after)
    ]
    for path in sorted(files[0] ^ files[1]):
        yield False, f"{path} is on one side only"
    for path in sorted(files[0] & files[1]):
        one, other = (before / path).read_bytes(), (after / path).read_bytes()
        if one == other:
            continue
        if path.suffix not in (".html", ".md", ".csv", ".json", ".tex"):
            yield False, f"{path} differs"
            continue
        lines = [content.decode("utf-8").splitlines() for content in (one, other)]
        for old, new in zip(*_changed(*lines), strict=False):
            named = NAME.sub("FILE", " ".join(old)) == NAME.sub("FILE", " ".join(new))
            yield named, f"{path}\n    - {' '.join(old)[:300]}\n    + {' '.join(new)[:300]}"


def _changed(one: list[str], other: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    steps = difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    changed = [step for step in steps if step[0] != "equal"]
    return [one[a:b] for _, a, b, _, _ in changed], [other[c:d] for _, _, _, c, d in changed]


def main() -> None:
    """Run both versions and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit")
    parser.add_argument("--keep", type=Path, help="folder for both versions' results; a finished one is read")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unmoved-") as temporary:
        work = (asked.keep or Path(temporary)).resolve()
        tree = Path(temporary) / "tree"
        subprocess.run(
            ("git", "worktree", "add", "--detach", "--quiet", str(tree), asked.commit), cwd=ROOT, check=True
        )
        try:
            names = [method["name"] for method in json.loads(command(tree, "methods", "--json"))]
            found = []
            for side, code in (("before", tree), ("after", ROOT)):
                folder, kept = work / side, work / side / "numbers.json"
                folder.mkdir(parents=True, exist_ok=True)
                if side == "after" or not kept.is_file():
                    kept.write_text(json.dumps(numbers(code, names, folder), indent=1))
                    # Each from its own checkout: who measured a record is told by where it lies.
                    sources = [str(code / "reports" / kind) for kind in ("leaderboards", "imported")]
                    command(code, "report", *sources, "--out", str(folder / "site"))
                found.append(json.loads(kept.read_text()))
        finally:
            subprocess.run(("git", "worktree", "remove", "--force", str(tree)), cwd=ROOT, check=True)
        moved = list(apart(*found, "")) + [
            line
            for allowed, line in site_apart(work / "before" / "site", work / "after" / "site")
            if not allowed
        ]
        named = [
            line for allowed, line in site_apart(work / "before" / "site", work / "after" / "site") if allowed
        ]
    for line in named:
        print(f"names a file: {line}")
    for line in moved:
        print(f"MOVED {line}")
    print(
        f"{len(found[0])} groups of numbers, {len(moved)} places moved, {len(named)} lines name another file."
    )
    sys.exit(bool(moved))


if __name__ == "__main__":
    main()
