"""How long a site of 10,000 records takes to build, what its pages weigh, and when the front page is usable.

    python tests/benchmarks/site.py [--records 10000] [--out FOLDER] [--from FOLDER]

The records are made up: models x tasks x methods x seeds, written to disk through the schema, then read and
built as `paretune report` does. Times are of the clock and, in brackets, of the processor, which other work
leaves alone; the memory is the most that reading and building took. Weights are gzip's, as a host would send;
"usable" is when the figure stands and the table can be sorted, in headless Chromium at a quarter of its
speed, from disk.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import re
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from reports import build_site, read_records, write_record
from runners.share.catalogue import catalogue
from tests.reports.conftest import STUDY, build_record

MODELS, TASKS, SEEDS = 5, 40, 5
MEGABYTE, KIB = 1e6, 1024
SLOWER = 4
"""By how much the processor is slowed down."""


def write(count: int, folder: Path) -> None:
    """Write so many records, five seeds each."""
    rng = np.random.default_rng(0)
    cells = [
        (model, task, contender, seed)
        for model in range(MODELS)
        for task in range(TASKS)
        for contender in range(10)
        for seed in range(SEEDS)
    ]
    for model, task, contender, seed in cells[:count]:
        method, options, rate, score, parameters, memory, seconds, slow, merged = STUDY[
            contender % len(STUDY)
        ]
        record = build_record(
            method,
            options=options if contender < len(STUDY) else {"layers": 2},
            learning_rate=rate,
            score=float(np.clip(score - 0.005 * task + rng.normal(0, 0.01), 0, 1)),
            model=f"lab/model-{model}",
            task=f"task_{task}",
            method_parameters=parameters,
            memory_mb=memory,
            seconds=seconds,
            unmerged=slow,
            merged=merged,
            seed=seed,
        )
        write_record(record, folder)


def usable(page: Path) -> tuple[float, float] | None:
    """Seconds from the start of loading until the table works and the figure stands; None: no browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        tab.goto(page.as_uri(), timeout=0)
        tab.wait_for_function("performance.getEntriesByName('figure').length", timeout=0)
        marks = [
            tab.evaluate(f"performance.getEntriesByName('{name}')[0].startTime / 1000")
            for name in ("table", "figure")
        ]
        browser.close()
    return marks[0], marks[1]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--from", type=Path, dest="folder", help="written here where it is not there yet")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "records"
        site = given.out or Path(temporary) / "site"
        if not folder.exists():
            writer = multiprocessing.get_context("spawn").Process(target=write, args=(given.records, folder))
            writer.start()  # a process of its own, so that what it takes is not counted
            writer.join()
        begin = time.perf_counter(), time.process_time()
        records = read_records(folder)
        middle = time.perf_counter(), time.process_time()
        front = build_site(records, site, catalogue=catalogue())
        end = time.perf_counter(), time.process_time()
        took = [
            f"{after[0] - before[0]:.1f} s ({after[1] - before[1]:.1f} s)"
            for before, after in ((begin, middle), (middle, end))
        ]
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / MEGABYTE
        print(f"{len(records):,} records: read in {took[0]}, built in {took[1]}, with at most {most:.0f} MB")
        files = [path for path in site.rglob("*") if path.is_file()]
        total = sum(path.stat().st_size for path in files)
        print(f"site: {len(files):,} files, {total / MEGABYTE:.0f} MB on disk")
        html = front.read_text()
        parts = [
            front,
            *(site / name for name in re.findall(r'(?:src|href)="(assets/[^"]+[.](?:js|css))"', html)),
        ]
        sizes = {path.name: len(gzip.compress(path.read_bytes(), 6, mtime=0)) for path in parts}
        listed = ", ".join(f"{name} {size / MEGABYTE:.3f}" for name, size in sizes.items())
        print(f"front page, compressed: {sum(sizes.values()) / MEGABYTE:.2f} MB ({listed})")
        for _ in range(3):
            if taken := usable(front):
                print(f"the table works after {taken[0]:.2f} s, the figure stands after {taken[1]:.2f} s")


if __name__ == "__main__":
    main()
