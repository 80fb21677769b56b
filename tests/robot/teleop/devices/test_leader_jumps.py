"""A leader that jumps, by any joint, way and size, moves the arm nowhere, and leads again only once both agree."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from robot.hardware.so101.description import LIMITS, so101_spec
from robot.teleop.devices.joint_map import read_joint_map
from robot.teleop.devices.leader import SETTLED_NS, SILENT_NS, TOLERANCE, Leader
from robot.teleop.input import STILL, Controls, JointTarget
from robot.teleop.speed_limits import Dial, Limits
from robot.wire.messages import JointState

SPEC = so101_spec(tuple(-limit for limit in LIMITS.values()), tuple(LIMITS.values()))
TURN_MS = 20
MS = 1_000_000
MODEST = settings(max_examples=25, deadline=None)
JOINTS = st.integers(0, SPEC.dof - 1)


def state_at(time_ns: int, joints: np.ndarray, width: float) -> JointState:
    place = tuple(float(joint) for joint in joints)
    still = (0.0,) * SPEC.dof
    return JointState(
        *(time_ns, 0, "idle", place, place, place, still, still, (), width, width, (), "", 0, time_ns, ""),
    )


@dataclass
class Hand:
    """Two arms side by side: one that a hand moves, read every `every_ms`, and one that follows at a bounded speed."""

    every_ms: int = 10
    joints: np.ndarray = field(default_factory=lambda: np.zeros(SPEC.dof))
    width: float = 0.03
    now_ms: int = 1000

    def __post_init__(self) -> None:
        self.history: deque[JointState] = deque(maxlen=256)
        self.arm = SPEC
        self.mode = "idle"
        self.follower = state_at(0, self.joints, self.width)
        self.waiting: list[JointState] = []
        self.leader = Leader(self, read_joint_map(None, SPEC, SPEC), SPEC, Dial(Limits(), 0.25))  # type: ignore[arg-type]

    def drain(self) -> int:
        self.history.extend(self.waiting)
        came, self.waiting = len(self.waiting), []
        return came

    def read(self) -> None:
        """A reading of the leader comes, of now."""
        self.waiting.append(
            msgspec.structs.replace(state_at(self.now_ms * MS, self.joints, self.width), mode=self.mode)
        )

    def turn(self, reads: bool = True) -> Controls:
        """One turn of teleoperation, with the leader where it is; the arm follows what is asked."""
        for _ in range(TURN_MS):
            self.now_ms += 1
            if reads and self.now_ms % self.every_ms == 0:
                self.read()
        controls = self.leader.poll(self.now_ms * MS, self.follower)
        if isinstance(controls.input_, JointTarget) and not controls.away:
            here = np.asarray(self.follower.governed)
            most = controls.input_.speed * np.asarray(SPEC.velocity) * TURN_MS * 1e-3
            here = here + np.clip(np.asarray(controls.input_.joints) - here, -most, most)
            self.follower = state_at(0, here, controls.input_.gripper_width)
        return controls

    def follow(self) -> None:
        for _ in range(5):
            controls = self.turn()
        assert isinstance(controls.input_, JointTarget)

    def settle(self) -> list[Controls]:
        return [self.turn() for _ in range(2 * SETTLED_NS // (TURN_MS * MS))]


@given(JOINTS, st.sampled_from((-1, 1)), st.floats(0.0, 2.0 * np.pi), st.sampled_from((1, 4, 10, 20)))
@MODEST
def test_a_jump_of_any_joint_either_way_moves_the_arm_nowhere(joint: int, way: int, size: float, every_ms: int) -> None:
    hand = Hand(every_ms)
    hand.follow()
    held = hand.follower
    # What is no more than the disagreement that is allowed anyway, or than a hand's motion, is not told from motion.
    assume(size > max(TOLERANCE, 0.021 + 2.0 * np.pi * every_ms * 1e-3))
    hand.joints[joint] += way * size
    said = hand.turn()
    assert SPEC.joint_names[joint] in said.news and "jumped" in said.news and said.input_ is STILL
    assert all(each.input_ is STILL and not each.news for each in hand.settle())
    assert hand.follower is held
    hand.joints[joint] -= way * size
    again = hand.settle()
    assert again[0].input_ is STILL and isinstance(again[-1].input_, JointTarget)
    assert np.abs(np.subtract(hand.follower.governed, held.governed)).max() < 1e-9


@given(JOINTS, st.floats(0.15, 6.0), st.integers(0, 1))
@MODEST
def test_a_single_reading_elsewhere_is_noticed_even_when_the_next_is_back(joint: int, size: float, last: int) -> None:
    hand = Hand()
    hand.follow()
    held = hand.follower
    hand.joints[joint] += size
    hand.now_ms += 1
    hand.read()
    hand.joints[joint] -= size
    if not last:  # both in one turn
        hand.now_ms += 1
        hand.read()
    said = [hand.turn(), hand.turn()]
    assert sum("jumped" in each.news for each in said) == 1
    assert hand.follower is held


@given(JOINTS, st.floats(0.35, 6.0), st.integers(1, 60))
@MODEST
def test_a_leader_that_comes_back_elsewhere_after_any_silence_is_not_followed(
    joint: int, size: float, turns: int
) -> None:
    hand = Hand()
    hand.follow()
    held = hand.follower
    for _ in range(turns):
        said = hand.turn(reads=False)
    assert (said.away == "the leader is silent") == (turns * TURN_MS * MS > SILENT_NS)
    hand.joints[joint] -= size
    assert all(not isinstance(each.input_, JointTarget) for each in hand.settle())
    assert hand.follower.governed == held.governed


@given(st.lists(st.tuples(JOINTS, st.floats(-5.0, 5.0)), min_size=1, max_size=10))
@MODEST
def test_what_a_hand_can_do_is_followed(moves: list[tuple[int, float]]) -> None:
    hand = Hand(5)
    hand.follow()
    for joint, speed in moves:
        hand.joints[joint] = np.clip(hand.joints[joint] + speed * 5e-3, -1.0, 1.0)
        assert isinstance(hand.turn().input_, JointTarget)
    for _ in range(100):
        hand.turn()
    assert np.abs(hand.joints - np.asarray(hand.follower.governed)).max() < 1e-6


def test_an_encoder_that_goes_on_jumping_is_never_followed_again() -> None:
    hand = Hand()
    hand.follow()
    held = hand.follower
    for number in range(100):
        hand.joints[1] = 3.0 * (number % 5 == 0)
        assert number < 1 or hand.turn().input_ is STILL
        if number == 0:
            assert "jumped" in hand.turn().news
    assert hand.follower is held


def test_a_jump_ends_the_way_to_the_leader_too() -> None:
    hand = Hand(joints=np.full(SPEC.dof, 0.5))
    hand.follower = state_at(0, np.zeros(SPEC.dof), hand.width)
    hand.leader = Leader(hand, read_joint_map(None, SPEC, SPEC), SPEC, Dial(Limits(), 0.25), align=True)  # type: ignore[arg-type]
    assert isinstance(hand.turn().input_, JointTarget)
    hand.joints[2] = -1.5
    assert "elbow_flex jumped" in hand.turn().news
    assert all(each.input_ is STILL for each in hand.settle())


@pytest.mark.parametrize("by", [-0.03, 0.03])
def test_a_gripper_that_jumps_is_let_go(by: float) -> None:
    hand = Hand()
    hand.follow()
    hand.width += by
    assert "gripper jumped by 30 mm in 10 ms" in hand.turn().news
    assert hand.follower.gripper_command == 0.03
