"""Publishing a site: to a folder, or to a Space or a dataset of the Hugging Face hub."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from methods.errors import nearest

SCHEME: Final = "hf://"
KINDS: Final[dict[str, Literal["space", "dataset"]]] = {"spaces": "space", "datasets": "dataset"}
CARD: Final = "README.md"
FRONT: Final = "index.html"
GENERATOR: Final = 'name="generator" content="Paretune'
HEAD_BYTES: Final = 65_536  # the page says in its head who made it
TABLES: Final = ("table", "trials", "comparisons", "latency", "serving", "arrivals")
"""What the hub's viewer shows of a dataset, where the site has it."""


class PublishError(ValueError):
    """A site cannot be published; the message is one sentence for the user."""


@dataclass(frozen=True)
class Target:
    """Where a site goes."""

    kind: Literal["space", "dataset", "folder"]
    name: str
    """The hub's id, or the folder's path."""

    @property
    def told(self) -> str:
        """In words."""
        return f"the folder {self.name}" if self.kind == "folder" else f"the {self.kind} {self.name}"


@dataclass(frozen=True)
class File:
    """One file to send, by its path inside the site."""

    path: str
    size: int
    content: Path | bytes
    """Where it is, or what it holds where it is made here."""


def parse_target(text: str) -> Target:
    """Read ``hf://spaces/OWNER/NAME``, ``hf://datasets/OWNER/NAME`` or a folder.

    Raises:
        PublishError: it is none of these.
    """
    if not text.startswith(SCHEME):
        if "://" in text:
            raise PublishError(
                f"received {text!r}, expected hf://spaces/NAME, hf://datasets/NAME or a folder."
            )
        return Target("folder", text)
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    kind, _, name = text.removeprefix(SCHEME).partition("/")
    if kind not in KINDS:
        raise PublishError(f"the hub's target {text!r} has no kind {kind!r}; {nearest(kind, KINDS)}.")
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise PublishError(f"received {text!r}, expected {SCHEME}{kind}/OWNER/NAME.") from None
    return Target(KINDS[kind], name)


def files(site: Path, target: Target) -> list[File]:
    """What would be sent: every file of a site that is not hidden, and the hub's card where it has none.

    Raises:
        PublishError: the folder is no site that Paretune made, or holds a link.
    """
    found = [File(name, path.stat().st_size, path) for name, path in _inside(site)]
    if target.kind == "folder" or any(file.path == CARD for file in found):
        return found
    card = _card(target, {file.path for file in found}).encode()
    return [File(CARD, len(card), card), *found]


def send(found: list[File], target: Target, *, endpoint: str | None = None, token: str | None = None) -> str:
    """Send the files; return where the site is now.

    Args:
        found: what :func:`files` lists.
        target: where it goes. On the hub it is made where it is not there, and becomes one commit.
        endpoint: the hub's address; None for what ``HF_ENDPOINT`` says, or the public one.
        token: of the hub; None for the one that the user has logged in with.

    Raises:
        PublishError: there is no token, the folder holds something else, or the hub refuses.
    """
    if target.kind == "folder":
        return _copy(found, Path(target.name))
    import huggingface_hub
    from huggingface_hub import CommitOperationAdd

    token = token or huggingface_hub.get_token()
    if not token:
        raise PublishError("there is no token of the hub: run `hf auth login`, or set HF_TOKEN.")
    api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
    operations = [
        CommitOperationAdd(
            file.path, BytesIO(file.content) if isinstance(file.content, bytes) else file.content
        )
        for file in found
    ]
    sdk: dict[str, Any] = {"space_sdk": "static"} if target.kind == "space" else {}
    try:
        with warnings.catch_warnings():  # it wonders about a table in a Space
            warnings.simplefilter("ignore", UserWarning)
            made = api.create_repo(target.name, repo_type=target.kind, exist_ok=True, **sdk)
            api.create_commit(
                made.repo_id, operations, commit_message="Publish the comparison", repo_type=target.kind
            )
    except Exception as error:  # whatever its client raises: HTTP, connection, refused content
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise PublishError(f"the hub did not take the site for {target.told}: {reason}.") from error
    return str(made)


def _inside(site: Path) -> Iterator[tuple[str, Path]]:
    front = site / FRONT
    if not front.is_file():
        raise PublishError(f"{site} is not a site: it has no {FRONT}; make one with `paretune report`.")
    if not _is_ours(front):
        raise PublishError(f"{front} was not made by Paretune; make a site with `paretune report`.")
    for path in sorted(site.rglob("*")):
        inside = path.relative_to(site)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_symlink():
            raise PublishError(f"{path} is a link, and a site has none: what it points to would be sent.")
        if path.is_file():
            yield inside.as_posix(), path


def _is_ours(page: Path) -> bool:
    """Whether there is a page that Paretune made."""
    if not page.is_file():
        return False
    with page.open("rb") as stream:
        return GENERATOR.encode() in stream.read(HEAD_BYTES)


def _card(target: Target, names: set[str]) -> str:
    """The README that makes a Space serve the pages, or a dataset show the tables."""
    title = target.name.rsplit("/", maxsplit=1)[-1]
    head: dict[str, Any] = {"title": title, "sdk": "static", "app_file": FRONT, "tags": ["peft", "benchmark"]}
    if target.kind == "dataset":
        configs = [
            {"config_name": name, "data_files": f"{name}.csv"} for name in TABLES if f"{name}.csv" in names
        ]
        head = {"pretty_name": title, "tags": ["peft", "benchmark"], "configs": configs}
    body = "Tuning methods compared by Paretune: scores and costs under one protocol."
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n{body} Open `{FRONT}`.\n"


def _copy(found: list[File], folder: Path) -> str:
    """Copy into a new or empty folder, or over an older site."""
    sources = {file.content.resolve() for file in found if isinstance(file.content, Path)}
    front = folder / FRONT
    if any((folder / file.path).resolve() in sources for file in found):
        raise PublishError(f"{folder} is the site itself, expected another folder.")
    if folder.exists() and not folder.is_dir():
        raise PublishError(f"{folder} is a file, expected a folder.")
    taken = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
    if taken and not _is_ours(front):
        raise PublishError(f"{folder} holds something that is no site of Paretune: choose an empty folder.")
    for file in found:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(file.content, Path)  # a folder gets no card
        shutil.copyfile(file.content, place)
    return str(front)
