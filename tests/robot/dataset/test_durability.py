"""Killed at, or out of space at, every system call that writes: what was said to be kept is there and whole.

A few calls of each kind of work are tried; `make soak` tries all of them, which takes minutes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import split
from robot.dataset.format.staged_folders import beside
from robot.errors import DatasetError
from tests.commands import ROOT
from tests.robot.dataset.edit.edits import tree
from tests.robot.dataset.samples import CAMERA, FPS, assert_holds, columns, features, write
from tests.robot.dataset.stopped_work import TOLD
from tests.robot.dataset.test_reader import DATA
from tests.robot.dataset.write_calls import TRACEABLE
from tests.soak import SOAK

pytestmark = [
    pytest.mark.skipif(not TRACEABLE, reason="system calls are traced on Linux on x86-64 only"),
    pytest.mark.soak,
]
FEW = 2
COMMITS = ("rename", "renameat2")
RENAMES = 5  # of which the calls right after them are tried too: as many as there are to an episode


@pytest.fixture(scope="module")
def stopper() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.robot.dataset.stopped_work"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


@pytest.fixture(scope="module")
def whole_runs() -> dict[str, list[str]]:
    """The calls of each kind of work that was not stopped."""
    return {}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets with pictures in their data files."""
    return make_template(tmp_path_factory.mktemp("images"), "image")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets with videos."""
    return make_template(tmp_path_factory.mktemp("videos"), "video")


def make_template(folder: Path, picture: str) -> Path:
    write(folder / "set", 3, picture)
    write(folder / "other", 2, picture)
    return folder


def stop(
    stopper: subprocess.Popen[str], work: str, folder: Path, stop_at: int | None, full_disk: bool
) -> dict[str, Any]:
    assert stopper.stdin is not None and stopper.stdout is not None
    asked = {"work": work, "folder": str(folder), "stop_at": stop_at, "full_disk": full_disk}
    stopper.stdin.write(json.dumps(asked) + "\n")
    stopper.stdin.flush()
    run: dict[str, Any] = json.loads(stopper.stdout.readline())
    return run


def stops(calls: list[str], seed: int) -> list[int]:
    """At which calls, from 1, the work is stopped."""
    if SOAK:
        return list(range(1, len(calls) + 1))
    commits = [number for number, name in enumerate(calls, start=1) if name in COMMITS]
    near = {min(number + 1, len(calls)) for number in commits[-RENAMES:]}
    chosen = np.random.default_rng(seed).choice(len(calls), min(FEW, len(calls)), replace=False) + 1
    return sorted(near | set(chosen.tolist()))


def runs(
    stopper: subprocess.Popen[str],
    known: dict[str, list[str]],
    work: str,
    template: Path,
    tmp_path: Path,
    full_disk: bool,
) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """The folder, the run and its name in words, for each call at which the work was stopped."""
    if work not in known:
        whole = stop(stopper, work, shutil.copytree(template, tmp_path / "whole"), None, False)
        assert whole["status"] == 0
        known[work] = whole["calls"]
    for call in stops(known[work], seed=len(work) + full_disk):
        folder = shutil.copytree(template, tmp_path / f"{call}")
        run = stop(stopper, work, folder, call, full_disk)
        assert run["status"] in ((0, TOLD) if full_disk else (None,)), f"{work} at call {call}: {run}"
        yield folder, run, f"{work} at call {call}, {run['calls'][-1]}"
        shutil.rmtree(folder)


def seeds(root: Path) -> list[int]:
    """The seeds of all episodes, each of which is whole."""
    dataset = Dataset.open(root)
    found = [int(episode.extra["seed"]) for episode in dataset.episodes]
    lossy = dataset.features[CAMERA].dtype == "video"
    for index, seed in enumerate(found):
        assert_holds(dataset.episode(index), columns(seed, 4 + seed % 3), lossy)
    return found


def assert_mended(root: Path) -> None:
    repair(root)
    assert check(root).problems == ()
    assert not beside(root).exists()


@pytest.mark.parametrize("full_disk", [False, True], ids=["killed", "full disk"])
@pytest.mark.parametrize("work", ["save", "create"])
def test_saved_episodes_stay(
    stopper: subprocess.Popen[str],
    whole_runs: dict[str, list[str]],
    template: Path,
    tmp_path: Path,
    work: str,
    full_disk: bool,
) -> None:
    root, before = {"save": ("set", 3), "create": ("new", 0)}[work]
    for folder, run, words in runs(stopper, whole_runs, work, template, tmp_path, full_disk):
        try:
            left = seeds(folder / root)
        except DatasetError as error:  # no set, or none with an episode
            assert work == "create" and run["said"] == 0, f"{words}: {error}"
            left = []
        least = before + run["said"]
        assert left == list(range(len(left))) and least <= len(left) <= least + 1, words
        if (folder / root / "meta/info.json").exists():
            assert_mended(folder / root)
            with DatasetWriter.open(folder / root) as writer:
                assert writer.save_episode(columns(9), "go on", {"seed": 9}) == len(left), words
        else:
            DatasetWriter.create(folder / root, FPS, features(), "panda").close()  # what was left is not in the way


@pytest.mark.parametrize("full_disk", [False, True], ids=["killed", "full disk"])
def test_a_deletion_is_made_or_not(
    stopper: subprocess.Popen[str],
    whole_runs: dict[str, list[str]],
    template: Path,
    tmp_path: Path,
    full_disk: bool,
) -> None:
    seen = set()
    for folder, run, words in runs(stopper, whole_runs, "delete", template, tmp_path, full_disk):
        left = seeds(folder / "set")  # before any repair
        assert left in ([0, 1, 2], [1, 2]), words
        assert left == [1, 2] or run["status"] != 0, words
        assert_mended(folder / "set")
        assert seeds(folder / "set") == left, words
        seen.add(len(left))
    assert seen == {2, 3}


@pytest.mark.parametrize("full_disk", [False, True], ids=["killed", "full disk"])
@pytest.mark.parametrize("work", ["merge", "split"])
def test_a_new_set_is_there_whole_or_not_at_all(
    stopper: subprocess.Popen[str],
    whole_runs: dict[str, list[str]],
    filmed: Path,
    tmp_path: Path,
    work: str,
    full_disk: bool,
) -> None:
    sources = tree(filmed)
    for folder, run, words in runs(stopper, whole_runs, work, filmed, tmp_path, full_disk):
        assert sources.items() <= tree(folder).items(), words
        out = folder / ("deep/out" if work == "merge" else "out")
        parts = {"merge": {"": [0, 1, 2, 0, 1]}, "split": {"train": [0, 2], "test": [1]}}[work]
        if not out.exists():
            assert run["status"] != 0, words
            if work == "merge":
                merge(out, [folder / "set", folder / "other"])
            else:
                split(folder / "set", out, parts)
        for name, expected in parts.items():
            assert seeds(out / name) == expected, words
            assert check(out / name).problems == ()
        assert {path.name for path in folder.iterdir()} == {"set", "other", out.relative_to(folder).parts[0]}, words


@pytest.mark.parametrize("full_disk", [False, True], ids=["killed", "full disk"])
def test_a_repair_is_finished_by_the_next(
    stopper: subprocess.Popen[str],
    whole_runs: dict[str, list[str]],
    template: Path,
    tmp_path: Path,
    full_disk: bool,
) -> None:
    damaged = shutil.copytree(template, tmp_path / "damaged")
    (damaged / "set" / DATA.format(0)).write_bytes(b"torn")
    (damaged / "set/meta/stats.json.tmp").write_bytes(b"{")
    shutil.copytree(damaged / "set", damaged / ".set.tmp")
    for folder, _, words in runs(stopper, whole_runs, "repair", damaged, tmp_path, full_disk):
        assert_mended(folder / "set")
        assert seeds(folder / "set") == [1, 2], words
