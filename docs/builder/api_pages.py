"""The API: what the packages hand out by name, each described by its own docstring."""

from __future__ import annotations

import methods
import paretune
import reports
import tasks
from docs.builder.markdown import table
from paretune import _HOMES

OPTIONS = """    options:
      heading_level: 3
      show_root_heading: true
      show_root_full_path: false
"""
METHOD_PARTS = ("methods.core.card.Card", "methods.core.options.Options", "methods.core.injection.Injection")
"""What a method of one's own is written with, beside what `methods` names."""
RUNNERS = {
    "What is to be done": ("TrialSpec", "Protocol", "Study", "read_study", "parse_study"),
    "Doing it": ("run_trial", "run_study"),
}


def pages() -> dict[str, str]:
    """The pages by their paths."""
    made = {
        "paretune": _face(),
        "methods": _page("methods", methods.__doc__, _split(methods), METHOD_PARTS),
        "tasks": _page("tasks", tasks.__doc__, _split(tasks)),
        "runners": _runners(),
        "reports": _page("reports", reports.__doc__, _of_reports()),
    }
    return {f"api/{name}.md": page for name, page in made.items()}


def _split(package: object) -> dict[str, list[str]]:
    """The names of a package, functions and classes apart."""
    name = package.__name__  # type: ignore[attr-defined]
    listed = sorted(package.__all__, key=str.lower)  # type: ignore[attr-defined]
    found: dict[str, list[str]] = {"Functions": [], "Classes": [], "Constants": []}
    for one in listed:
        kind = "Constants" if one.isupper() else "Classes" if one[0].isupper() else "Functions"
        found[kind].append(f"{name}.{one}")
    return {kind: names for kind, names in found.items() if names}


def _of_reports() -> dict[str, list[str]]:
    homes: dict[str, str] = reports._HOMES  # type: ignore[attr-defined]
    found: dict[str, list[str]] = {"Functions": [], "Classes": [], "Constants": []}
    for name, module in sorted(homes.items(), key=lambda item: item[0].lower()):
        kind = "Constants" if name.isupper() else "Classes" if name[0].isupper() else "Functions"
        found[kind].append(f"{module}.{name}")
    return found


def _page(name: str, said: str | None, groups: dict[str, list[str]], more: tuple[str, ...] = ()) -> str:
    sections = [f"## {kind}\n\n{_described(names)}" for kind, names in groups.items()]
    if more:
        sections.append(f"## To write one\n\n{_described(more)}")
    return f"# {name}\n\n{_about(said)}\n\n" + "\n\n".join(sections)


def _described(names: list[str] | tuple[str, ...]) -> str:
    return "\n".join(f"::: {name}\n{OPTIONS}" for name in names)


def _about(said: str | None) -> str:
    """The first sentence of a package's docstring."""
    return (said or "").strip().partition("\n")[0]


def _face() -> str:
    rows = []
    for name in sorted({*paretune.__all__}, key=str.lower):
        home = _HOMES.get(name)
        if home is None:
            rows.append([f"[`{name}`]({name}.md)", f"the package `{name}`"])
            continue
        wing = home.partition(".")[0]
        target = f"methods.{name}" if home == "methods" else f"tasks.{name}" if home == "tasks" else ""
        target = target or (f"{_home_in_reports(name)}" if home == "reports" else f"{home}.{name}")
        rows.append([f"[`{name}`]({wing}.md#{target})", f"of `{wing}`"])
    return f"""# paretune

{_about(paretune.__doc__)}

```python
import paretune

adapted = paretune.apply(model, "lora", rank=8)
record = paretune.run_trial(paretune.TrialSpec(model="embedded", task="rotten_tomatoes", method="lora"))
```

{table(["name", "from"], rows)}

Files of your own called `tasks.py`, `methods/`, `runners.py` or `reports/` break nothing: `import paretune`
finds ours first.
"""


def _home_in_reports(name: str) -> str:
    homes: dict[str, str] = reports._HOMES  # type: ignore[attr-defined]
    return f"{homes[name]}.{name}"


def _runners() -> str:
    sections = [
        f"## {title}\n\n{_described([f'{_HOMES[name]}.{name}' for name in names])}"
        for title, names in RUNNERS.items()
    ]
    return "# runners\n\nDoing the work: studies run, costs measured.\n\n" + "\n\n".join(sections)
