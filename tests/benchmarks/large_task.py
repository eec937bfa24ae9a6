"""How long a task of MNLI's size takes to its first batches, and in how much memory.

    python tests/benchmarks/large_task.py [--rows 392702] [--beside CHECKOUT] [--beside-rows 60000]

Makes a folder of the hub's GLUE layout with pairs of passages from the embedded film reviews: premises of
some 20 words, three hypotheses of some 10 words for each, all rows distinct, a thousand of them leaked from
the reported split. Then it starts fresh processes with an empty cache and with what that left behind. Each
reads the data, tokenises what is trained on and what selects, and makes the longest, the first training and
the first selection batch, as a trial does. Seconds begin after the imports; memory is told with them.

--beside does the same with the code of another checkout (`git worktree add FOLDER COMMIT`), of which a start
with many rows takes minutes: --beside-rows gives it fewer.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TASK, MODEL, LENGTH, BATCH = "mnli", "embedded", 128, 32
REPORTED, LEAKED = 9_815, 1_000
SEED = 0


def make(folder: Path, rows: int) -> None:
    """Write the training and the reported split."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    import tasks

    spec = tasks.get("imdb").source
    module = importlib.import_module(spec.module)
    reviews = pd.read_csv(Path(module.__path__[0]) / spec.file)
    words = " ".join(reviews[reviews["source"] == "imdb"]["text"]).split()
    rng = np.random.default_rng(SEED)

    def passages(count: int, mean: int) -> list[str]:
        lengths = np.maximum(1, rng.gamma(2.5, mean / 2.5, count).astype(int))
        starts = rng.integers(0, len(words) - 500, count)
        return [" ".join(words[s : s + n]) for s, n in zip(starts.tolist(), lengths.tolist(), strict=True)]

    def write(split: str, premises: list[str]) -> None:
        # A number makes short hypotheses distinct.
        hypotheses = [f"{text} {i}" for i, text in enumerate(passages(len(premises), 10))]
        columns = {"premise": premises, "hypothesis": [f"{split} {text}" for text in hypotheses]}
        labels = rng.integers(0, 3, len(premises))
        table = pa.table({**columns, "label": labels, "idx": np.arange(len(premises))})
        (folder / TASK).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / TASK / f"{split}-00000-of-00001.parquet")

    reported = passages(REPORTED, 20)
    write("validation_matched", reported)
    trained = [text for text in passages(-(-rows // 3), 20) for _ in range(3)][:rows]
    write("train", reported[:LEAKED] + trained[LEAKED:])


def memory() -> dict[str, int]:
    """Resident memory of this process now and at its highest, in MB."""
    with open("/proc/self/status", encoding="ascii") as status:
        told = dict(line.split(":", 1) for line in status)
    return {
        name: int(told[key].split()[0]) * 1024 // 10**6 for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))
    }


def measure(folder: str) -> None:
    """One start, in this process, with whatever code is on the path; prints JSON."""
    # All that a trial imports, as a trial does. There was a time before the rooms.
    rooms = "runners.trials" if importlib.util.find_spec("runners.trials") else "runners"
    batches = importlib.import_module(f"{rooms}.batches")
    importlib.import_module(f"{rooms}.trial")
    imported, wall, cpu = memory(), time.perf_counter(), time.process_time()
    data = batches.load(TASK, folder)
    tokenizer = importlib.import_module("runners.models").tokenizer(MODEL)
    train, selection = (batches.encode(MODEL, TASK, folder, part, LENGTH) for part in ("train", "selection"))
    labels = train.labels()
    if hasattr(batches, "longest"):
        longest = batches.longest(train, tokenizer, BATCH)
    else:
        order = sorted(range(len(train)), key=lambda i: -train.lengths[i])
        longest = batches.Collator(tokenizer)([train[i] for i in order[:BATCH]])
    first = next(iter(batches.training_loader(train, tokenizer, BATCH, len(train) // BATCH, SEED)))
    selecting = next(iter(batches.scoring_loader(selection, tokenizer, 64)))
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    reached = memory()
    content = {
        "data": data.sha256,
        "sizes": data.sizes,
        "dropped": data.dropped_train_examples,
        "labels": int(labels.sum()),
        "batches": [int(batch["input_ids"].sum()) for batch in (longest, first, selecting)],
    }
    more = iter(batches.training_loader(train, tokenizer, BATCH, 400, SEED))
    next(more)
    begun = time.process_time()
    for _ in range(300):
        next(more)
    each = {"batch_ms": (time.process_time() - begun) / 300 * 1e3}
    print(json.dumps({**seconds, **each, "imported": imported, "reached": reached, "content": content}))


def start(tree: Path, folder: Path, cache: Path) -> dict:
    """One start in a fresh process with the code of a tree."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "HF_DATASETS_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
    }
    command = (sys.executable, str(Path(__file__).resolve()), "--measure", str(folder))
    done = subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return json.loads(done.stdout)


def told(name: str, rows: int, which: str, found: dict) -> str:
    """One line on a start."""
    imported, reached = found["imported"], found["reached"]
    return (
        f"{name}, {rows:,} rows, {which} start: {found['wall']:.2f} s ({found['cpu']:.2f} s of CPU); "
        f"{reached['now']} MB, at most {reached['peak']} MB, of them {imported['now']} MB after the imports; "
        f"{found['batch_ms']:.2f} ms of CPU for a batch of {BATCH}"
    )


def main() -> None:
    """Measure, and compare what the batches hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=392_702)
    parser.add_argument("--beside", type=Path, help="a checkout of another commit")
    parser.add_argument("--beside-rows", type=int, help="rows for it; as many as --rows by default")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure)
        return
    sides = [("this code", ROOT, asked.rows)]
    if asked.beside:
        rows = asked.beside_rows or asked.rows
        sides += [(str(asked.beside), asked.beside.resolve(), rows)]
        if rows != asked.rows:
            sides.append(("this code", ROOT, rows))
    contents: dict[int, list] = {}
    with tempfile.TemporaryDirectory(prefix="large-task-") as temporary:
        for index, (name, tree, rows) in enumerate(sides):
            folder = Path(temporary) / f"data-{rows}"
            if not folder.is_dir():
                make(folder, rows)
            for which in ("first", "second"):
                found = start(tree, folder, Path(temporary) / f"cache-{index}")
                contents.setdefault(rows, []).append(found["content"])
                print(told(name, rows, which, found), flush=True)
    for rows, found in contents.items():
        if any(one != found[0] for one in found):
            raise SystemExit(f"with {rows:,} rows the starts have different batches: {found}")
    print("all starts with as many rows made the same splits and batches.")


if __name__ == "__main__":
    main()
