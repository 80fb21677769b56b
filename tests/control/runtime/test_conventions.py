"""Models whose actions are not displacements of the tool drive the simulated arm through the same session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from control.runtime.step import Step
from robot.embodiment.convention import ArmConvention
from robot.embodiment.convention_file import read_convention
from robot.embodiment.joint_displacement import JointDisplacement, JointTarget
from sim.world.panda import panda_spec
from tests.control.runtime.scripted_arm import GOAL, Stage, Steps, Watch, card_for, session, stage
from tests.robot.driver.checks import assert_no_jump, steady
from tests.robot.embodiment import stranger

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def here() -> Iterator[Stage]:
    with stage() as processes:
        yield processes


def went(here: Stage, folder: Path, convention: ArmConvention[Any]) -> tuple[list[Step], np.ndarray]:
    """What an untrained model of that convention decided in ten blocks, and the governed joints (T, n) meanwhile."""
    heard = Steps()
    with (
        Watch(here.driver.state) as watch,
        session(here, folder, made=card_for(convention), observers=[heard]) as goes,
    ):
        goes.pursue([GOAL], 10)
    assert_no_jump(watch.seen)
    return heard.steps, np.array([state.governed for state in watch.seen])


def test_displacements_of_the_joints_lead_where_the_sent_actions_lead(here: Stage, tmp_path: Path) -> None:
    convention = JointDisplacement.of(panda_spec())
    steps, joints = went(here, tmp_path, convention)
    assert {len(step.state) for step in steps} == {len(convention.state_names)}
    felt = dict(zip(convention.state_names, steps[0].state, strict=True))
    begin = np.array([felt[f"setpoint.joint.{number}"] for number in range(1, 8)])
    target = JointTarget(begin, felt["gripper.command"])
    for step in steps:
        if step.status in ("sent", "late"):
            target = convention.target(target, step.decision.action)
    with here.driver.client() as client:
        end = steady(client)
    np.testing.assert_allclose(end.governed, target.positions, atol=2e-3)
    assert end.gripper_command == pytest.approx(target.gripper_width, abs=1e-3)
    assert np.ptp(joints, axis=0).min() > 0.005, "every joint is moved"
    assert (end.mode, end.holder) == ("holding", "")


def test_a_stranger_s_convention_and_sense_serve_as_our_own_do(
    here: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    stranger.install(tmp_path)
    swing = msgspec.convert({"kind": "swing", "step_rad": 0.05}, ArmConvention[Any], dec_hook=read_convention)
    steps, joints = went(here, tmp_path, swing)
    moved = np.ptp(joints, axis=0)
    assert moved[0] > 0.01 and (moved[1:] < 2e-3).all()
    assert {step.state.shape for step in steps} == {(3,)}
