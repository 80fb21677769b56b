from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.embodiment.actions import PLANAR_PUSH, TABLETOP
from robot.embodiment.box_action import BoxAction
from robot.embodiment.convention_file import read_convention
from robot.embodiment.joint_displacement import JointDisplacement
from robot.hardware.franka.description import franka_spec
from robot.system.bounds import MAX_BLOCK_S, MAX_CONVENTION_SIZE
from robot.wire.limits import MAX_WAYPOINTS

KNOWN = [
    msgspec.to_builtins(each)
    for each in (PLANAR_PUSH, TABLETOP, JointDisplacement.of(franka_spec()), BoxAction(2, 0.1, 4))
]
ODD = st.sampled_from([-1, 0, 1e-300, 63, 64, 10**9, 10**30, 1e300, "x", None, [], ["x"] * 5000, [[]], {}, True])


@pytest.mark.parametrize("stored", KNOWN, ids=lambda stored: stored["kind"])
def test_those_of_worldarm_are_within_bounds(stored: dict[str, Any]) -> None:
    assert msgspec.to_builtins(read_convention(object, stored)) == stored


@given(st.sampled_from(KNOWN), st.data())
def test_a_changed_entry_is_refused_or_within_bounds(stored: dict[str, Any], data: st.DataObject) -> None:
    changed = {**stored, data.draw(st.sampled_from(sorted(stored))): data.draw(ODD)}
    try:
        convention: Any = read_convention(object, changed)
    except (ValueError, msgspec.ValidationError):
        return
    assert 0 < convention.block_s <= MAX_BLOCK_S and convention.size <= MAX_CONVENTION_SIZE
    assert 1 <= getattr(convention, "waypoints", 1) < MAX_WAYPOINTS


@pytest.mark.parametrize("waypoints", [10**9, MAX_WAYPOINTS, 0, -1])
@pytest.mark.parametrize("stored", KNOWN[:3], ids=lambda stored: stored["kind"])
def test_a_block_has_no_more_waypoints_than_a_command_takes(stored: dict[str, Any], waypoints: int) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match="waypoints in a block"):
        read_convention(object, {**stored, "waypoints": waypoints})
