"""Build the site: ``python -m docs.builder [--out site/docs]``. A link that leads nowhere ends it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from docs.builder import links
from docs.builder.assemble import BOARD, ROOT, assemble

BUILD = ROOT / "build" / "docs"
"""Where it is made: the generator writes nowhere but beside its settings."""
SHIM = "https://unpkg.com/iframe-worker/shim"


def main() -> int:
    """Write the site; the exit code is 1 where it has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "site" / "docs", help="folder of the site [site/docs]"
    )
    out = parser.parse_args().out.resolve()
    settings = assemble(BUILD)
    command = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--strict",
        "--clean",
        "--config-file",
        str(settings),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-6000:], sep="\n", file=sys.stderr)
        return 1
    _bring_home(BUILD / "site")
    found = links.faults(BUILD / "site", beside=(BOARD,))
    if found:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(BUILD / "site", out)
    print(f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages.")
    return 0


def _bring_home(site: Path) -> None:
    """Read the script that a search from disk needs from the site, where the generator names a host."""
    for page in site.rglob("*.html"):
        root = "../" * (len(page.relative_to(site).parts) - 1)
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(SHIM, f"{root}assets/iframe-worker.js"), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
