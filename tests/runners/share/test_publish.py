"""Publishing: what would be sent is said first; a hub on this machine takes it over HTTP."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from runners.share.publish import PublishError, Target, files, parse_target, send

PAGE = '<!doctype html><html><head><meta name="generator" content="Paretune 0.1.0"></head></html>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "tasks").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "tasks" / "cola.html").write_text(PAGE)
    (folder / "table.csv").write_text("method,score\nlora,0.5\n")
    (folder / "table.parquet").write_bytes(b"PAR1\x00")
    (folder / ".lock").write_text("")
    return folder


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's HTTP interface as a commit needs; it remembers what it was told."""

    calls: list[tuple[str, str, Any]]
    refuse: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.split("?")[0]
        told: Any = [json.loads(line) for line in body.splitlines() if line]
        type(self).calls.append((path, self.headers.get("Authorization") or "", told))
        if type(self).refuse:
            self._answer({"error": "you may not write here"}, type(self).refuse)
        elif path == "/api/repos/create":
            kind = told[0]["type"]
            self._answer({"url": f"http://{self.headers['Host']}/{kind}s/ada/board", "name": "ada/board"})
        elif path.startswith("/api/validate-yaml"):
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            names = [file["path"] for file in told[0]["files"]]
            modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            self._answer({"files": modes})
        else:
            self._answer({"commitUrl": f"http://{self.headers['Host']}/c/1", "commitOid": "1" * 40})

    def _answer(self, content: Any, status: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Hub]]]:
    class Handler(Hub):
        calls: list[tuple[str, str, Any]] = []  # noqa: RUF012 - a new one for each test
        refuse = 0

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Handler
    server.shutdown()
    server.server_close()
    thread.join()


def _committed(calls: list[tuple[str, str, Any]]) -> tuple[str, dict[str, bytes]]:
    path, _, lines = calls[-1]
    added = [line["value"] for line in lines if line["key"] == "file"]
    return path, {file["path"]: base64.b64decode(file["content"]) for file in added}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("hf://spaces/ada/board", Target("space", "ada/board")),
        ("hf://datasets/ada/board", Target("dataset", "ada/board")),
        ("hf://spaces/board", Target("space", "board")),
        ("out/site", Target("folder", "out/site")),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hf://models/ada/x", "has no kind 'models'"),
        ("hf://space/ada/x", "did you mean spaces"),
        ("hf://spaces/", r"expected hf://spaces/OWNER/NAME"),
        ("hf://spaces/a/b/c", r"expected hf://spaces/OWNER/NAME"),
        ("hf://spaces/../x y", r"expected hf://spaces/OWNER/NAME"),
        ("https://huggingface.co/spaces/ada/x", r"expected hf://spaces/NAME, hf://datasets/NAME or a folder"),
    ],
)
def test_bad_targets_are_one_sentence(text: str, said: str) -> None:
    with pytest.raises(PublishError, match=said):
        parse_target(text)


def test_what_would_be_sent(site: Path) -> None:
    found = files(site, Target("folder", "x"))
    assert [file.path for file in found] == ["index.html", "table.csv", "table.parquet", "tasks/cola.html"]
    assert found[0].size == len(PAGE)
    card = files(site, Target("space", "ada/board"))[0]
    assert card.path == "README.md"
    assert isinstance(card.content, bytes)
    head = yaml.safe_load(card.content.decode().split("---")[1])
    assert (head["sdk"], head["app_file"], head["title"]) == ("static", "index.html", "board")
    card = files(site, Target("dataset", "ada/board"))[0]
    assert isinstance(card.content, bytes)
    head = yaml.safe_load(card.content.decode().split("---")[1])
    assert head["configs"] == [{"config_name": "table", "data_files": "table.csv"}]
    (site / "README.md").write_text("mine")
    assert [file.path for file in files(site, Target("space", "ada/board"))].count("README.md") == 1


def test_what_is_no_site(site: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"is not a site: it has no index\.html"):
        files(tmp_path, Target("folder", "x"))
    (site / "index.html").write_text("<html></html>")
    with pytest.raises(PublishError, match="was not made by Paretune"):
        files(site, Target("folder", "x"))
    (site / "index.html").write_text(PAGE)
    (site / "secret.txt").symlink_to("/etc/passwd")
    with pytest.raises(PublishError, match=r"secret\.txt is a link"):
        files(site, Target("folder", "x"))


def test_a_folder_gets_a_copy(site: Path, tmp_path: Path) -> None:
    target = Target("folder", str(tmp_path / "public"))
    found = files(site, target)
    assert send(found, target) == str(tmp_path / "public" / "index.html")
    assert (tmp_path / "public" / "tasks" / "cola.html").read_text() == PAGE
    assert not (tmp_path / "public" / ".lock").exists()
    send(found, target)  # over an older site


def test_a_folder_of_something_else_is_left_alone(site: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.html").write_text("mine")
    for name, said in (("docs", "no site of Paretune"), ("site", "is the site itself")):
        target = Target("folder", str(tmp_path / name))
        with pytest.raises(PublishError, match=said):
            send(files(site, target), target)
    assert (tmp_path / "docs" / "index.html").read_text() == "mine"
    target = Target("folder", str(site / "index.html"))
    with pytest.raises(PublishError, match="is a file, expected a folder"):
        send(files(site, target), target)


@pytest.mark.parametrize(("kind", "plural"), [("space", "spaces"), ("dataset", "datasets")])
def test_the_hub_gets_one_commit(site: Path, hub: tuple[str, type[Hub]], kind: Any, plural: str) -> None:
    address, handler = hub
    target = Target(kind, "ada/board")
    found = files(site, target)
    assert send(found, target, endpoint=address, token="hf_x").endswith(f"/{plural}/ada/board")
    path, _, made = handler.calls[0]
    assert path == "/api/repos/create"
    assert made[0]["name"] == "board"
    assert made[0]["organization"] == "ada"
    assert made[0].get("sdk") == ("static" if kind == "space" else None)
    assert all(authorization == "Bearer hf_x" for _, authorization, _ in handler.calls)
    path, committed = _committed(handler.calls)
    assert path == f"/api/{plural}/ada/board/commit/main"
    assert set(committed) == {file.path for file in found}
    assert committed["tasks/cola.html"].decode() == PAGE


def test_what_the_hub_refuses_is_one_sentence(site: Path, hub: tuple[str, type[Hub]]) -> None:
    address, handler = hub
    handler.refuse = 403
    target = Target("space", "ada/board")
    with pytest.raises(PublishError, match="the hub did not take the site for the space ada/board") as caught:
        send(files(site, target), target, endpoint=address, token="hf_x")
    assert "you may not write here" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_token(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    target = Target("space", "ada/board")
    with pytest.raises(PublishError, match="there is no token of the hub: run `hf auth login`"):
        send(files(site, target), target)
