"""A tiny training, run once as a user runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import in_process

QUICK = (
    *("--world-model.steps", "12", "--world-model.batch", "4", "--predictor.steps", "4"),
    *("--decoder.steps", "3", "--decoder.batch", "4"),
    *("--heads.steps", "12", "--heads.batch", "16", "--heads.hidden", "32"),
    *("--sizes.keypoints", "4", "--sizes.latent", "16", "--sizes.width", "32", "--sizes.blocks", "1"),
)


@dataclass(frozen=True)
class Run:
    """Where a training read and wrote, what it said, and the command's words."""

    dataset: Path
    folder: Path
    checkpoint: Path
    words: tuple[str, ...]
    output: str
    errors: str


@pytest.fixture(scope="session")
def trained_run(play_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("train")
    words = ("--dataset", str(play_set), "--run", str(root / "run"), "--output", str(root / "checkpoint"), *QUICK)
    result = in_process("train", *words)
    assert result.returncode == 0, result.stderr
    return Run(play_set, root / "run", root / "checkpoint", words, result.stdout, result.stderr)
