"""A recording of a moving arm becomes a checkpoint that the agent takes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from control.agent import Agent
from control.trained import load_trained
from perception.recording.recorder import Recorder
from perception.recording.sources import CameraAddress
from perception.recording.status import Phase
from robot.action import PLANAR_PUSH
from robot.camera_spec import reframed
from robot.client import Client
from robot.dataset import Dataset
from robot.dataset.check import check
from robot.kinematics import Kinematics
from robot.straight_move import move_straight
from tests.commands import worldarm
from tests.control.conftest import QUICK
from tests.perception.recording.lens import Lens
from tests.perception.recording.mover import Mover
from tests.robot.driver_command import DriverProcess, until

pytestmark = [pytest.mark.real_time, pytest.mark.timeout(300)]


def to_the_plane(driver: DriverProcess) -> None:
    """Bring the arm to where pushing begins."""
    with Client(driver.command, 5.0) as client:
        tool = PLANAR_PUSH.start(np.array([0.5, 0.0, 0.045]))
        joints = Kinematics(client.arm).inverse(PLANAR_PUSH.pose(tool), np.array(client.arm.home))
        move_straight(client, joints, 0.5, "the plane", "test")
        client.acquire("test", 5.0)
        begins_ns = time.monotonic_ns() + 200_000_000
        client.send_waypoints(PLANAR_PUSH.block(Kinematics(client.arm), tool, tool, joints, begins_ns), begins_ns)
        until(lambda: client.renew() and client.state(5.0).gripper_command < 1e-4)


def test_what_was_recorded_trains_and_runs(tmp_path: Path) -> None:
    root = tmp_path / "set"
    with DriverProcess(tmp_path, arm="bare") as driver, Lens(width=48) as lens:
        to_the_plane(driver)
        cameras = [CameraAddress(lens.endpoint)]
        with (
            Recorder(root, "wander", driver.command, cameras, images="png", action=PLANAR_PUSH) as recorder,
            Mover(driver.command, PLANAR_PUSH),
        ):
            for episode in range(5):
                until(lambda: recorder.status().phase is Phase.READY)
                recorder.start(5.0)
                until(lambda: recorder.status().phase is not Phase.RECORDING)
                recorder.keep()
                until(lambda episode=episode: recorder.status().kept == episode + 1)  # type: ignore[misc]
    assert check(root).sound and len(Dataset.open(root)) == 5
    words = ("--dataset", str(root), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "checkpoint"), *QUICK)
    short = ("--world-model.clip", "2", "--world-model.stride", "2", "--predictor.clip", "2")
    done: subprocess.CompletedProcess[str] = worldarm("train", *words, *short, seconds=200.0)
    assert done.returncode == 0, done.stderr
    trained = load_trained(tmp_path / "checkpoint")
    recipe = trained.card.recipe
    assert (recipe.camera.name, recipe.camera.width, recipe.camera.height) == ("front", 64, 64)
    assert recipe.action == PLANAR_PUSH and recipe.arm == "panda"
    assert trained.card.provenance.dataset_fingerprint == Dataset.open(root).fingerprint()
    # The camera's process at a model's size is the camera that was learnt from.
    trained.card.require("panda", reframed(lens.spec, (64, 64)))
    agent = Agent(trained, "full", 0)
    goal = np.zeros((64, 64, 3), np.uint8)
    agent.set_goals([goal])
    decision = agent.decide(goal, np.zeros(7), np.zeros(2))
    assert np.isfinite(decision.action).all()
    judged = worldarm("check", str(tmp_path / "checkpoint"), "--dataset", str(root), "--cache", str(tmp_path / "cache"))
    assert judged.returncode in (0, 1) and "plannable" in judged.stdout, judged.stderr
