"""A CSV of a million rows, read, checked and split as a task of one's own; then as the next start does.

    python tests/benchmarks/own_data.py [--rows 1000000]

Prints seconds by the clock and of the processor, and the largest memory of the process.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Write the file, and resolve it twice."""
    assert __doc__ is not None
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    rows = options.parse_args().rows
    draw = random.Random(0)
    words = [f"word{number}" for number in range(5_000)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = f"{folder}/cache"
        from tasks.own import preparing

        with Path(folder, "all.csv").open("w", encoding="utf-8") as file:
            file.write("text,label\n")
            for row in range(rows):
                file.write(f"{row} {' '.join(draw.choices(words, k=12))},{draw.choice('abcd')}\n")
        for start in ("first", "second"):
            began, busy = time.perf_counter(), time.process_time()
            found = preparing.resolve({"name": "large", "file": "all.csv"}, folder)
            seconds, busy = time.perf_counter() - began, time.process_time() - busy
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(f"{start} start: {seconds:.1f} s, {busy:.1f} s of CPU, {peak:.0f} MB; {found.data.sizes}")


if __name__ == "__main__":
    main()
