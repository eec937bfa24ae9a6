"""`python -m tests.gpu.measure --out FOLDER`: everything, in the minutes that there are.

    --device cpu       a dry run: the smallest sizes, on a machine whose only device is the CPU
    --minutes 12       what a part does not reach in its share of them is named and left out
    --parts A,B        of invariants, memory, trials, table1, serving, latency,
                       compiled, board
    --methods A,B      instead of all

Writes FOLDER/measured.json and measured.md after every item, and the trials' records into FOLDER/records.
Exit code 0 where everything was measured and is as it should be, 1 where not, 2 where there is no such device
or the folder holds a run already.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

import methods
from runners import device, environment

from ...runners.conftest import save_tiny_model
from . import board, invariants, latency, memory, serving, table1, trials
from . import sizes as kinds
from .document import Document, Item

SHARES = {
    "invariants": 0.2,
    "memory": 0.12,
    "trials": 0.08,
    "table1": 0.16,
    "serving": 0.1,
    "latency": 0.04,
    "compiled": 0.08,
    "board": 0.22,
}
"""Of the minutes; what a part leaves goes to those behind it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    options = _options(arguments)
    began = time.monotonic()
    if (options.out / "measured.json").exists():
        print(f"{options.out} holds a run already, expected a new folder.", file=sys.stderr)
        return 2
    accelerator = device.accelerator()
    if accelerator.device.type != options.device:
        hint = "; CUDA_VISIBLE_DEVICES= hides it" if options.device == "cpu" else ""
        found = accelerator.device.type
        print(f"torch finds a {found} here, expected {options.device}{hint}.", file=sys.stderr)
        return 2
    device.seed_everything(0)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small"
        if options.device == "cpu":
            save_tiny_model(small)
        sizes = kinds.dry(str(small)) if options.device == "cpu" else kinds.Sizes()
        if options.methods:
            sizes = sizes.only(tuple(options.methods))
        document = Document(
            options.out,
            {
                "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "minutes": options.minutes,
                "environment": environment.describe(accelerator).model_dump(mode="json"),
                "machine": {
                    "cuda": torch.version.cuda,
                    "float32_matmul_precision": torch.get_float32_matmul_precision(),
                    "available_bytes": device.available_bytes(accelerator.device),
                },
                "parts": {},
            },
        )
        ends = began
        for part, share in SHARES.items():
            if part in options.parts:
                ends += 60 * options.minutes * share / sum(SHARES[one] for one in options.parts)
                items = _items(part, sizes, Path(folder), options.out / "records")
                document.measure(part, items, ends, lambda: device.free(accelerator.device))
                print(f"{time.monotonic() - began:.0f} s: {part} done", file=sys.stderr)
    print(options.out / "measured.md")
    return 0 if document.is_good else 1


def _items(part: str, sizes: kinds.Sizes, scratch: Path, records: Path) -> Iterable[Item]:
    return {
        "invariants": lambda: invariants.items(sizes),
        "memory": lambda: memory.items(sizes, scratch),
        "trials": lambda: trials.items(sizes, records),
        "compiled": lambda: invariants.compiled_items(sizes),
        "table1": lambda: table1.items(sizes, records),
        "serving": lambda: serving.items(sizes, records),
        "latency": lambda: latency.items(sizes),
        "board": lambda: board.items(sizes, records),
    }[part]()


def _known_methods(text: str) -> list[str]:
    try:
        return [methods.get(name).name for name in text.split(",")]
    except methods.MethodError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.gpu.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(SHARES))
    parser.add_argument("--methods", type=_known_methods, default=[])
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in SHARES]:
        parser.error(f"there is no part {unknown[0]!r}, expected some of {', '.join(SHARES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
