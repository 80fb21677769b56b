"""The exam with exact positions: what is painted is read back, and the command measures what was learnt from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from robot.arm.interface import ObjectPose
from tests.benchmarks.exact_positions import NAMES, TOKEN, ExactEncoder, picture_of, tokens_of
from tests.commands import in_process

Position = tuple[float, float, float]
HEADS = ("--predictor.steps", "2", "--heads.steps", "2", "--heads.batch", "8", "--heads.landmarks", "0")
positions = st.tuples(st.floats(-0.5, 1.5), st.floats(-1.0, 1.0), st.floats(-0.2, 1.0))
turns = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).standard_normal(4))


@given(poses=st.lists(st.tuples(positions, turns), max_size=len(NAMES)))
def test_the_encoder_reads_the_poses_that_a_picture_holds(poses: list[tuple[Position, np.ndarray]]) -> None:
    objects = []
    for name, (place, turn) in zip(NAMES, poses, strict=False):
        x, y, z, w = (turn / np.linalg.norm(turn)).tolist()
        objects.append(ObjectPose(name, place, (x, y, z, w)))
    picture = picture_of(objects, 128, 64)
    seen, _ = ExactEncoder(64, 64).look(torch.from_numpy(picture)[None, None])
    assert np.abs(seen.numpy().reshape(len(NAMES), TOKEN) - tokens_of(objects)).max() < 2e-6


def test_a_model_learns_from_exact_poses_and_is_measured(tmp_path: Path) -> None:
    play = ("--task", "tabletop", "--camera", "tabletop-rig", "--episodes", "4", "--blocks", "30", "--processes", "1")
    assert in_process("play", *play, "--dataset", str(tmp_path / "play")).returncode == 0
    words = (
        "--dataset",
        str(tmp_path / "play"),
        "--folder",
        str(tmp_path / "exact"),
        "--episodes",
        "1",
        "--task",
        "reach",
        *HEADS,
    )
    numbers = tmp_path / "numbers.json"
    done = in_process("benchmark", "exact", *words, "--method", "actor-only", "hold", "--json", str(numbers))
    assert done.returncode == 0, done.stderr
    assert "| actor-only" in done.stdout
    assert [each["method"] for each in json.loads(numbers.read_text())] == ["actor-only", "hold"]
    assert not (tmp_path / "exact" / "data.part").exists()


def test_what_is_no_play_on_the_tabletop_is_refused(play_set: Path, tmp_path: Path) -> None:
    refused = in_process("benchmark", "exact", "--dataset", str(play_set), "--folder", str(tmp_path / "exact"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no play on the tabletop" in refused.stderr
    assert not (tmp_path / "exact").exists()
