"""What a record says of where it was measured; git repositories are made on the spot."""

import os
import platform
import shutil
import subprocess

import pytest
import torch

from runners import environment
from runners.device import accelerator
from runners.environment import checkout, cores, describe

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def _git(root, *arguments):
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    told = subprocess.run(("git", "-C", str(root), *identity, *arguments), check=True, capture_output=True)
    return told.stdout.decode().strip()


def _files(root, project="paretune"):
    (root / "runners").mkdir(parents=True)
    (root / "runners" / "trial.py").write_text("x = 1\n")
    (root / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
    return root


@pytest.fixture
def repository(tmp_path):
    root = _files(tmp_path / "code")
    _git(root, "init", "--quiet")
    _git(root, "add", ".")
    _git(root, "commit", "--quiet", "-m", "first")
    return root


def test_describe_says_what_moves_numbers():
    result = describe(accelerator())
    assert result.packages["torch"] == torch.__version__
    assert set(result.packages) == set(environment.PACKAGES)
    assert (result.processes, result.threads) == (1, torch.get_num_threads())
    assert result.device == "cpu"
    assert result.device_name
    assert result.python == platform.python_version()


def test_describe_never_names_the_host():
    host = platform.node()
    fields = describe(accelerator()).model_dump_json()
    assert len(host) < 4 or host not in fields


def test_describe_without_an_installed_distribution(monkeypatch):
    monkeypatch.setattr(environment, "DISTRIBUTION", "no-such-distribution")
    monkeypatch.setattr(environment, "PACKAGES", ("torch", "no-such-library"))
    result = describe(accelerator())
    assert result.paretune_version == "0+unknown"
    assert list(result.packages) == ["torch"]
    assert result.commit is None


def _beside_tracked(folder, name):
    """An untracked file in a package that has a tracked one, without which git names the package alone."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text("")
    _git(folder.parent, "add", "reports/__init__.py")
    _git(folder.parent, "commit", "--quiet", "--message", "reports")
    (folder / name).write_text("")


@needs_git
def test_a_clean_checkout(repository):
    commit, clean = checkout(repository)
    assert len(commit) == 40
    assert clean is True


@needs_git
@pytest.mark.parametrize(
    ("change", "clean"),
    [
        (lambda root: (root / "runners" / "trial.py").write_text("x = 2\n"), False),
        (lambda root: (root / "runners" / "trial.py").rename(root / "runners" / "renamed.py"), False),
        (lambda root: _git(root, "rm", "-q", "runners/trial.py"), False),
        (lambda root: _git(root, "mv", "runners/trial.py", "moved.py"), False),
        (lambda root: (root / "runners" / "new.py").write_text(""), False),
        (lambda root: (root / "runners" / "ü new.py").write_text(""), False),
        (lambda root: _files(root / "methods"), False),
        (lambda root: _beside_tracked(root / "reports", "leaderboards/board/one.json"), True),
        (lambda root: _beside_tracked(root / "reports", "leaderboards.py"), False),
        (lambda root: (root / "notes.txt").write_text(""), True),
        (lambda root: (root / "runners.txt").write_text(""), True),
    ],
)
def test_what_makes_a_tree_unclean(repository, change, clean):
    change(repository)
    assert checkout(repository) == (_git(repository, "rev-parse", "HEAD"), clean)


@needs_git
def test_before_the_first_commit_there_is_no_commit_and_nothing_is_clean(tmp_path):
    root = _files(tmp_path / "code")
    _git(root, "init", "--quiet")
    assert checkout(root) == (None, False)


@needs_git
def test_code_installed_inside_another_repository_has_no_commit(repository):
    site_packages = _files(repository / ".venv" / "site-packages")
    assert checkout(site_packages) == (None, None)


@needs_git
def test_a_repository_of_another_project_has_no_commit(tmp_path):
    root = _files(tmp_path / "other", project="other")
    _git(root, "init", "--quiet")
    _git(root, "add", ".")
    _git(root, "commit", "--quiet", "-m", "first")
    assert checkout(root) == (None, None)
    (root / "pyproject.toml").unlink()
    assert checkout(root) == (None, None)


def test_a_folder_that_is_no_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checkout(_files(tmp_path / "code")) == (None, None)


@needs_git
def test_the_git_variables_of_a_calling_hook_are_ignored(repository, tmp_path, monkeypatch):
    expected = checkout(repository)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert checkout(repository) == expected


def test_a_machine_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout(_files(tmp_path / "code")) == (None, None)


def test_git_that_hangs(tmp_path, monkeypatch):
    def run(*arguments, timeout, **options):
        raise subprocess.TimeoutExpired("git", timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert checkout(_files(tmp_path / "code")) == (None, None)


def test_cores_are_those_of_the_affinity_without_a_quota(tmp_path):
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cores(tmp_path, tmp_path / "none") == allowed
    assert describe(accelerator()).cores <= allowed


@pytest.mark.parametrize("where", ["a/b", "a", "."])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("quota", "expected"), [("50000", 1), ("100000", 1), ("none", None), ("rubbish", None)]
)
def test_a_quota_of_any_group_around_bounds_the_cores(tmp_path, where, version, quota, expected):
    own = tmp_path / "own"
    own.write_text("0::/a/b\n" if version == 2 else "5:memory:/c\n4:cpu,cpuacct:/a/b\n")
    folder = tmp_path / "groups" / ("cpu" if version == 1 else "") / where
    folder.mkdir(parents=True)
    if version == 2:
        (folder / "cpu.max").write_text(f"{'max' if quota == 'none' else quota} 100000\n")
    else:
        (folder / "cpu.cfs_quota_us").write_text("-1\n" if quota == "none" else f"{quota}\n")
        (folder / "cpu.cfs_period_us").write_text("100000\n")
    unbounded = cores(tmp_path / "none", tmp_path / "none")
    assert cores(tmp_path / "groups", own) == (expected or unbounded)
