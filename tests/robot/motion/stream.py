"""What an observer of set-points can tell: their finite differences against an arm's limits."""

import numpy as np

from robot.arm.interface import ArmSpec
from robot.arm.kinematics import Kinematics

TOLERANCE = 1.01


def assert_within_limits(spec: ArmSpec, kinematics: Kinematics, start: np.ndarray, positions: np.ndarray) -> None:
    """Check positions (T, n), one a period, after rest at `start`: joints, their differences, and the tool's box."""
    period = 1.0 / spec.rate_hz
    positions = np.vstack([start, start, start, positions])
    assert np.isfinite(positions).all()
    assert (positions >= np.array(spec.lower) - 2e-6).all() and (positions <= np.array(spec.upper) + 2e-6).all()
    velocity = np.diff(positions, axis=0) / period
    acceleration = np.diff(velocity, axis=0) / period
    jerk = np.diff(acceleration, axis=0) / period
    assert (np.abs(velocity) <= TOLERANCE * np.array(spec.velocity)).all()
    assert (np.abs(acceleration) <= TOLERANCE * np.array(spec.acceleration)).all()
    assert (np.abs(jerk) <= TOLERANCE * np.array(spec.jerk)).all()
    tool = np.array([kinematics.position(joints) for joints in positions])
    assert (tool >= np.array(spec.workspace.lower) - 2e-6).all() and tool[:, 2].min() >= spec.table_height - 2e-6
    assert (tool <= np.array(spec.workspace.upper) + 2e-6).all()
