"""Data sets to and from a hub, by its real client, over HTTP to a stand-in: whole and checked, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot.dataset import Dataset
from tests.commands import in_process, worldarm
from tests.robot.dataset.edit.edits import tree
from tests.robot.dataset.edit.hub_server import Hub, running_hub
from tests.robot.dataset.samples import write

REPO = "someone/push-cube"


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client reads its settings when it is loaded, so each test loads it anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


def test_a_set_comes_back_as_it_went(hub: Hub, tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3, "video")
    (root / "notes.txt").write_text("mine")
    pushed = in_process("dataset", "push", str(root), REPO)
    assert pushed.returncode == 0, pushed.stderr
    assert (hub.private[REPO], hub.commits, list(hub.tags[REPO])) == (True, 1, ["v3.0"])
    assert set(hub.repos[REPO]) == {*tree(root), "README.md"} - {"notes.txt"}
    assert b"LeRobot" in hub.repos[REPO]["README.md"]
    pulled = in_process("dataset", "pull", REPO, str(tmp_path / "back"))
    assert pulled.returncode == 0, pulled.stderr
    assert "3 episodes" in pulled.stdout
    assert Dataset.open(tmp_path / "back").fingerprint() == Dataset.open(root).fingerprint()
    assert set(tree(tmp_path / "back")) == set(hub.repos[REPO])

    # A smaller set in its place leaves nothing of the larger one, and the card as it is.
    hub.repos[REPO]["README.md"] = b"written by hand"
    again = in_process("dataset", "push", str(write(tmp_path / "less", 1, "video")), REPO)
    assert again.returncode == 0, again.stderr
    assert set(hub.repos[REPO]) == {*tree(tmp_path / "less"), "README.md"}
    assert hub.repos[REPO]["README.md"] == b"written by hand"
    assert hub.tags[REPO] == {"v3.0": f"{2:040x}"}


def test_what_is_not_sound_is_not_sent_and_nothing_goes_public_unasked(hub: Hub, tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    (root / "data/chunk-000/file-001.parquet").write_bytes(b"torn")
    refused = in_process("dataset", "push", str(root), REPO)
    assert refused.returncode == 1 and "not sound" in refused.stderr
    assert not hub.repos
    whole = write(tmp_path / "whole", 1)
    assert in_process("dataset", "push", str(whole), REPO, "--public").returncode == 0
    assert hub.private[REPO] is False
    refused = in_process("dataset", "push", str(whole), REPO)
    assert refused.returncode == 1 and "--public" in refused.stderr and hub.commits == 1
    refused = in_process("dataset", "push", str(whole), "no/such/name")
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1


def test_a_pull_that_fails_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    assert in_process("dataset", "push", str(write(tmp_path / "set", 2)), REPO).returncode == 0
    before = {path.name for path in tmp_path.iterdir()} | {"home"}
    to = str(tmp_path / "back")
    assert "no such repository" in in_process("dataset", "pull", "someone/else", to).stderr
    kept = hub.repos[REPO].pop("data/chunk-000/file-001.parquet")
    failed = in_process("dataset", "pull", REPO, to)
    assert failed.returncode == 1 and f"{REPO} was not kept" in failed.stderr
    hub.repos[REPO]["data/chunk-000/file-001.parquet"] = kept
    # In processes of their own: within one, the client remembers what files a commit has.
    hub.broken = {"data/chunk-000/file-001.parquet"}
    failed = worldarm("dataset", "pull", REPO, to)
    assert failed.returncode == 1 and "closed the connection" in failed.stderr
    assert {path.name for path in tmp_path.iterdir()} <= before  # "home" is the client's own cache
    hub.broken = set()
    assert worldarm("dataset", "pull", REPO, to).returncode == 0
    assert "exists already" in in_process("dataset", "pull", REPO, to).stderr


def test_a_set_that_the_disk_has_no_room_for_is_refused_before_anything_is_sent(hub: Hub, tmp_path: Path) -> None:
    assert in_process("dataset", "push", str(write(tmp_path / "set", 1)), REPO).returncode == 0
    hub.claimed["data/chunk-000/file-000.parquet"] = 10**18
    refused = in_process("dataset", "pull", REPO, str(tmp_path / "back"))
    assert refused.returncode == 1 and "needs 1000000000000 MB" in refused.stderr
    assert not (tmp_path / "back").exists() and len(refused.stderr.splitlines()) == 1


def test_a_hub_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    root = write(tmp_path / "set", 1)
    for words in (("push", str(root), REPO), ("pull", REPO, str(tmp_path / "back"))):
        result = in_process("dataset", *words)
        assert result.returncode == 1 and "cannot be reached" in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["data/../../evil.parquet", "meta//etc/evil", "data/..", "videos/\\..\\x.mp4", "data/\x1b.parquet"]
)
def test_a_file_that_would_lie_outside_the_set_is_not_pulled(hub: Hub, tmp_path: Path, name: str) -> None:
    root = write(tmp_path / "set", 1)
    assert in_process("dataset", "push", str(root), REPO).returncode == 0
    hub.repos[REPO][name] = b"of someone else"
    before = tree(tmp_path)
    pulled = in_process("dataset", "pull", REPO, str(tmp_path / "in" / "back"))
    assert pulled.returncode == 1
    assert "has a name that no file of a data set has" in pulled.stderr
    assert tree(tmp_path) == before
