"""The page that is made from the document: Markdown, one section a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from reports.text import size

Rows = Iterable[Iterable[Any]]


def page(content: dict[str, Any]) -> str:
    """The whole page."""
    where, machine = content["environment"], content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in where["packages"].items())
    of_cuda = f", CUDA {machine['cuda']}" if machine["cuda"] else ""
    sections = [
        f"# Measured on {where['device_name']}",
        f"{content['started_at']}, commit {where['commit'] or 'unknown'}"
        f"{'' if where['tree_clean'] else ' with changes'}, Python {where['python']}, {versions}{of_cuda}.",
    ]
    if where["device"] == "cpu":
        sections.append("**A dry run on a CPU: it says that the script works, and nothing of a card.**")
    for name, part in content["parts"].items():
        bad = [item for item in part["items"] if not item["ok"]]
        told = f"{len(part['items'])} measured in {part['seconds']:.0f} s, {len(bad)} of them not as expected"
        if part["left_out"]:
            told += f"; the time was up for {len(part['left_out'])} more"
        sections += [f"## {name.capitalize()}", f"{told}.", *SECTIONS[name](part["items"])]
        sections += [_cannot(part["items"]), _messages(bad)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _table(head: Iterable[str], rows: Rows) -> str:
    lines = [list(head), ["---"] * len(list(head)), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _cannot(items: list[dict[str, Any]]) -> str:
    """What is not possible at all, one line each."""
    return "\n".join(f"* {_about(item)}: {item['cannot']}" for item in items if "cannot" in item)


def _about(item: dict[str, Any]) -> str:
    """Of what an item is."""
    return ", ".join(item[key] for key in ABOUT if key in item)


def _messages(bad: list[dict[str, Any]]) -> str:
    """What was not as expected, one line each."""
    lines = []
    for item in bad:
        said = {"": item, **item.get("checks", {})}
        lines += [
            f"* {_about(item)}{f', {name}' if name else ''}: {one.get('message') or _deviation(one)}"
            for name, one in said.items()
            if not one["ok"] and (name or "checks" not in item)
        ]
    return "\n".join(lines)


ABOUT = ("method", "model", "shape", "base", "dtype", "attention", "precision", "cell", "seed")
"""What says of what an item is, in the order of the page."""


def _deviation(found: dict[str, Any]) -> str:
    deviation = found.get("deviation")
    return "not so" if deviation is None else f"deviation {deviation:.1e}"


def _invariants(items: list[dict[str, Any]]) -> list[str]:
    """Methods down, bases across; then the largest deviations by check and dtype."""
    largest: dict[tuple[str, str], float] = {}
    for item in items:
        for name, found in item.get("checks", {}).items():
            if isinstance(found.get("deviation"), float):
                key = name, item["dtype"]
                largest[key] = max(largest.get(key, 0.0), found["deviation"])
    rows = [(check, dtype, f"{deviation:.1e}") for (check, dtype), deviation in sorted(largest.items())]
    return [
        _grid(items, lambda item: ", ".join(n for n, c in item.get("checks", {}).items() if not c["ok"])),
        "Largest deviation of a logit, as a share of the largest:",
        _table(("check", "dtype", "deviation"), rows),
    ]


def _compiled(items: list[dict[str, Any]]) -> list[str]:
    return [_grid(items, _deviation, always=True)]


def _grid(items: list[dict[str, Any]], told: Callable[[dict[str, Any]], str], always: bool = False) -> str:
    """A cell for every item; one that is as expected says ``ok`` unless what is told is told always."""
    columns = list(dict.fromkeys(_column(item) for item in items))
    rows: dict[str, dict[str, str]] = {}
    for item in items:
        cell = told(item) if always and "message" not in item else ""
        rows.setdefault(item["method"], {})[_column(item)] = cell or (
            "ok" if item["ok"] else f"**{told(item)}**"
        )
    lines = ([name, *(row.get(column, "–") for column in columns)] for name, row in rows.items())
    return _table(("method", *columns), lines)


def _column(item: dict[str, Any]) -> str:
    return f"{item['base']}, {item['dtype']}, {item['attention']}"


def _memory(items: list[dict[str, Any]]) -> list[str]:
    """Measured and predicted, a table for each shape."""
    head = ("method", "training, measured", "predicted", "off", "inference, measured", "predicted", "off")
    sections = []
    for shape in dict.fromkeys(item["shape"] for item in items):
        rows = []
        for item in items:
            if item["shape"] != shape or "off" not in item:
                continue
            row = [item["method"]]
            for peak in ("peak_training_bytes", "peak_inference_bytes"):
                row += [size(item[source][peak]) for source in ("measured", "predicted")]
                row.append(f"{100 * item['off'][peak]:+.1f} %")
            rows.append(row)
        sections += [f"### {shape}", _table(head, rows)]
    return sections


def _trials(items: list[dict[str, Any]]) -> list[str]:
    head = ("method", "precision", "seed", "status", "accuracy", "step, p50", "step, p95", "peak memory")
    rows = [
        (
            item["method"],
            item["precision"],
            item.get("seed", "0"),
            item.get("status", "–"),
            _number(item.get("score", {}).get("accuracy"), "{:.3f}"),
            _number(item.get("step_ms_p50"), "{:.2f} ms"),
            _number(item.get("step_ms_p95"), "{:.2f} ms"),
            size(item.get("peak_training_bytes")),
        )
        for item in items
    ]
    return [_table(head, rows)]


def _latency(items: list[dict[str, Any]]) -> list[str]:
    head = ("contender", "p50", "p95", "time / base", "95 % interval")
    sections = []
    for item in items:
        for cell in item.get("cells", ()):
            rows = [
                (
                    row["contender"],
                    f"{row['latency_ms_p50']:.3f} ms",
                    f"{row['latency_ms_p95']:.3f} ms",
                    f"×{row['ratio']:.3f}",
                    f"{row['ratio_low']:.3f}–{row['ratio_high']:.3f}",
                )
                for row in cell["rows"]
            ]
            title = f"### {item['model']}, {item['dtype']}: {cell['cell']}, {cell['rounds']} rounds"
            sections += [title, _table(head, rows)]
    return sections


def _serving(items: list[dict[str, Any]]) -> list[str]:
    """The time of each way over the base's, a table for each method."""
    sections = []
    for item in items:
        if batches := item.get("batches"):
            ways = list(dict.fromkeys(way for one in batches for way in one["ratios"]))
            rows = [
                (
                    one["batch"],
                    f"{one['base_ms_p50']:.3f} ms",
                    *(_number(one["ratios"].get(way), "×{:.3f}") for way in ways),
                )
                for one in batches
            ]
            head = ("batch", "base, p50", *(way.replace("_", " ") for way in ways))
            sections += [f"### {item['method']} on {item['model']}, {item['dtype']}", _table(head, rows)]
    return sections


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


SECTIONS = {
    "invariants": _invariants,
    "memory": _memory,
    "trials": _trials,
    "compiled": _compiled,
    "latency": _latency,
    "table1": _latency,
    "serving": _serving,
    "board": _trials,
}
