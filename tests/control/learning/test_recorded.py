"""A recording becomes a checkpoint that the agent takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from control.model.trained_model import load_trained
from control.policies import make_agent
from perception.checkpoint.files import load_card
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.joint_displacement import JointDisplacement
from robot.embodiment.observation import Observation
from robot.wire.camera_spec import reframed
from tests.commands import in_process
from tests.control.conftest import QUICK
from tests.perception.recording.known import ARM, CAMERA, FPS, described, written, written_in_joints


def test_what_was_recorded_trains_is_judged_and_decides(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", seconds=6.0, speed=0.03, sways=(0.1, 0.2, 0.3, 0.4, 0.25, 0.35))
    checkpoint = tmp_path / "checkpoint"
    words = ("--dataset", str(dataset.root), "--run", str(tmp_path / "run"), "--output", str(checkpoint), *QUICK)
    done = in_process("train", *words)
    assert done.returncode == 0, done.stderr
    trained = load_trained(checkpoint)
    embodiment = trained.card.embodiment
    assert (embodiment.camera.name, embodiment.camera.width, embodiment.camera.height) == ("front", 64, 64)
    assert (
        embodiment.action == PLANAR_PUSH
        and embodiment.arm == "panda"
        and trained.card.world_model.commands == (4, 5, 6)
    )
    assert trained.card.provenance.dataset_fingerprint == dataset.fingerprint()
    assert trained.card.provenance.frames == 6 * (42 + 42 + 41)
    # What its process publishes at a model's size is what the model takes.
    trained.card.require("panda", reframed(CAMERA, (64, 64)))
    agent = make_agent(trained)
    goal = np.zeros((64, 64, 3), np.uint8)
    agent.set_goals([goal])
    assert np.isfinite(agent.decide(Observation({"front": goal}, np.zeros(7), 0), np.zeros(2)).action).all()
    judged = in_process("check", str(checkpoint), "--dataset", str(dataset.root), "--cache", str(tmp_path / "cache"))
    assert judged.returncode in (0, 1) and "plannable" in judged.stdout, judged.stderr


def test_through_which_camera_is_chosen_by_its_name(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", seconds=6.0, speed=0.03, sways=(0.1, 0.2, 0.3, 0.4, 0.25, 0.35))
    checkpoint = tmp_path / "checkpoint"
    words = ("--dataset", str(dataset.root), "--run", str(tmp_path / "run"), "--output", str(checkpoint), *QUICK)
    refused = in_process("train", *words, "--camera", "side")
    assert refused.returncode == 1
    assert refused.stderr == "worldarm: the data set has no camera 'side'; it has front, wrist\n"
    done = in_process("train", *words, "--camera", "wrist")
    assert done.returncode == 0, done.stderr
    card = load_card(checkpoint)
    assert card.embodiment.camera.name == "wrist" and card.provenance.settings["camera"] == "wrist"
    # What it is judged by is what it sees through, without being told again.
    judged = in_process("check", str(checkpoint), "--dataset", str(dataset.root), "--cache", str(tmp_path / "cache"))
    assert "the data it learnt from" in judged.stdout and "plannable" in judged.stdout, judged.stderr


def test_a_recording_for_displacements_of_the_joints_trains_and_is_judged(tmp_path: Path) -> None:
    convention = JointDisplacement.of(ARM)
    seconds = np.arange(6 * FPS)[:, None] / FPS
    ways = [np.array(ARM.home) + 0.1 * np.sin(rate * seconds + np.arange(7)) for rate in (0.5, 0.7, 0.9, 1.1, 0.6, 0.8)]
    dataset = written_in_joints(tmp_path / "set", described(convention), ways)
    checkpoint = tmp_path / "checkpoint"
    words = ("--dataset", str(dataset.root), "--run", str(tmp_path / "run"), "--output", str(checkpoint), *QUICK)
    done = in_process("train", *words)
    assert done.returncode == 0, done.stderr
    card = load_card(checkpoint)
    assert card.embodiment.action == convention and card.world_model.action == 8 and card.world_model.binary == (7,)
    commanded = [card.embodiment.state_names[number] for number in card.world_model.commands]
    assert commanded == [*(f"setpoint.joint.{number}" for number in range(1, 8)), "gripper.command"]
    judged = in_process("check", str(checkpoint), "--dataset", str(dataset.root), "--cache", str(tmp_path / "cache"))
    assert judged.returncode in (0, 1) and "plannable" in judged.stdout, judged.stderr
