"""Time the texts of E2E that a causal model writes: Paretune's decoding beside plain ``model.generate``.

Plain is what one writes by hand: prompts of one length in a batch, of at most as many rows, so that nothing
is padded; and batches as the rows come, padded on the left. All are greedy, to the same limit. Runs
alternate, and what is printed is the ratio of seconds, by the clock and of processor time (which a busy
machine leaves alone), and how many texts differ (batches of other shapes round otherwise, and the logits of
a random model lie close).

    python tests/benchmarks/written_decoding.py --data E2E [--model FOLDER] [--texts 500] [--longest 40]
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from transformers.utils import logging
from written_rows import arguments, form, model, rows

from runners.writing import batches
from runners.writing.decoding import Decoding, write
from runners.writing.tokens import Form, Prompted


def plain(
    writer: Any, how: Form, prompts: Prompted, longest: int, parts: Iterator[np.ndarray]
) -> dict[int, str]:
    """Texts by row."""
    found = {}
    for which in parts:
        batch = batches.asking(prompts, which, how)
        made = writer.generate(
            **batch,
            max_new_tokens=longest,
            do_sample=False,
            use_cache=True,
            pad_token_id=how.padding,
            eos_token_id=how.end,
        )
        texts = how.tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        found |= {index: text.strip() for index, text in zip(which.tolist(), texts, strict=True)}
    return found


def of_one_length(prompts: Prompted, size: int) -> Iterator[np.ndarray]:
    """Batches whose prompts are of one length."""
    lengths = prompts.prompts.lengths
    for length in np.unique(lengths):
        rows_of_it = np.flatnonzero(lengths == length)
        yield from (rows_of_it[start : start + size] for start in range(0, len(rows_of_it), size))


def as_they_come(prompts: Prompted, size: int) -> Iterator[np.ndarray]:
    """Batches of neighbours."""
    every = np.arange(len(prompts))
    return (every[start : start + size] for start in range(0, len(every), size))


def main() -> None:
    """Alternate them and print the ratios."""
    options = arguments(__doc__.splitlines()[0])
    options.add_argument("--texts", type=int, default=500)
    options.add_argument("--longest", type=int, default=40)
    options.add_argument("--size", type=int, default=32)
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    how, writer = form(chosen.model, chosen.longest), model(chosen.model)
    prompts = rows(chosen.data, how, "report", chosen.texts)

    def ours() -> dict[int, str]:
        decoding = Decoding(chosen.longest)
        return dict(enumerate(write(writer, prompts, how, decoding, chosen.size).texts))

    def by_hand(parts: Callable[[Prompted, int], Iterator[np.ndarray]]) -> dict[int, str]:
        return plain(writer, how, prompts, chosen.longest, parts(prompts, chosen.size))

    contenders: dict[str, Callable[[], dict[int, str]]] = {
        "Paretune": ours,
        "generate, batches of equal length": lambda: by_hand(of_one_length),
        "generate, as they come": lambda: by_hand(as_they_come),
    }
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in list(contenders)[1:]}
    with torch.inference_mode():
        writer.generate(**batches.asking(prompts, [0], how), max_new_tokens=2, use_cache=True)
    for pair in range(chosen.pairs):
        seconds, processor, texts = {}, {}, {}
        for name in list(contenders)[:: -1 if pair % 2 else 1]:
            started, began = time.perf_counter(), time.process_time()
            texts[name] = contenders[name]()
            seconds[name], processor[name] = time.perf_counter() - started, time.process_time() - began
        print(f"pair {pair + 1}: " + ", ".join(f"{name} {seconds[name]:.1f} s" for name in contenders))
        for name, found in ratios.items():
            clock, own = (taken["Paretune"] / taken[name] for taken in (seconds, processor))
            found.append((clock, own))
            differ = sum(texts["Paretune"][row] != text for row, text in texts[name].items())
            print(f"  {name}: {differ} of {len(prompts)} texts differ")
    for name, found in ratios.items():
        for what, own in zip(("by the clock", "of processor time"), zip(*found, strict=True), strict=True):
            middle = statistics.median(own)
            print(f"beside {name}, {what}: ratio {middle:.3f} (from {min(own):.3f} to {max(own):.3f})")


if __name__ == "__main__":
    main()
