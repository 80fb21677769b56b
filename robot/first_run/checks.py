"""The first run: every check in order of its danger, and none that moves the arm after one has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.errors import ArmError, ConnectionLost, Refused, WireError
from robot.first_run.joints import JointChecks
from robot.first_run.motion import STOPPED, move
from robot.first_run.operator import ENTER, GivenUp, Operator
from robot.first_run.report import Outcome
from robot.first_run.safety import check_lapse, check_lease, check_stop
from robot.first_run.wording import tool_place
from robot.wire import topics
from robot.wire.messages import Frame
from robot.wire.subscription import Subscription

OLDEST_S = 0.25
"""A picture that is older than this when it comes is too old to act on."""
_CAMERA_S = 2.0
_FRAMES = 8
_GRIPPER_SHARE = 0.25
_GRIPPER_MOVED = 0.4
_GRIPPER_S = 5.0
_LOOK_S = 0.3
_STILL_M = 0.0003
"""A gripper whose width changes by less than this in `_LOOK_S` stands still."""
_YES_NO = {"y": "yes", "n": "no"}


def first_run(client: Client, operator: Operator, cameras: Sequence[str] = ()) -> tuple[Outcome, ...]:
    """Check the arm of `client`, whose limits are reduced, with the person at `operator`, and the age of the pictures
    at the addresses `cameras`; return what was found, up to the first failure.

    Raises `GivenUp` when the person ends it, and `ConnectionLost` when the driver is gone.
    """
    outcomes: list[Outcome] = []
    for check in _checks(client, operator, cameras):
        try:
            outcome = check()
        except (Refused, ArmError) as error:
            outcome = Outcome("driver", "failed", error.detail if isinstance(error, Refused) else str(error))
        outcomes.append(outcome)
        operator.say(outcome.line)
        if outcome.result == "failed":
            operator.say("the first run ends here: mend that, and begin again")
            break
        _reset_if_stopped(client, operator)
    return tuple(outcomes)


def _checks(client: Client, operator: Operator, cameras: Sequence[str]) -> Iterator[Callable[[], Outcome]]:
    """Yield the checks of the arm, those first that move nothing, and small motions before large ones."""
    joints = JointChecks(client, operator)
    numbers = range(client.arm.dof)
    yield lambda: check_person(operator)
    for address in cameras:
        yield lambda address=address: check_camera(address)  # type: ignore[misc]
    yield lambda: check_lease(client)
    yield lambda: check_place(client, operator)
    for number in numbers:
        yield lambda number=number: joints.direction(number)  # type: ignore[misc]
    yield lambda: check_stop(client, operator, joints)
    yield lambda: check_lapse(client, operator, joints)
    yield lambda: check_gripper(client, operator)
    for number in numbers:
        for upper in (True, False):
            yield lambda number=number, upper=upper: joints.range(number, upper)  # type: ignore[misc]


def check_person(operator: Operator) -> Outcome:
    """Ask whether the person can cut the arm's power; without that nothing moves."""
    question = "Is the table clear, can the arm not reach you, and is the emergency stop or the plug in your hand?"
    if operator.ask(question, _YES_NO) == "n":
        raise GivenUp("the first run was not begun: clear the table, and take the emergency stop in your hand")
    return Outcome("surroundings", "passed", "the table is clear, and the person can cut the power")


def check_place(client: Client, operator: Operator) -> Outcome:
    """Ask whether the tool is where its encoders and the calibration put it; nothing moves."""
    place = tool_place(Kinematics(client.arm).position(np.array(client.state().measured)))
    question = f"Measure with a ruler: the tool's tip should be {place}. Is it, to within 3 cm?"
    if operator.ask(question, _YES_NO) == "n":
        return Outcome(
            "place", "failed", f"the tool is not {place}: the range or direction of a joint is wrong; calibrate again"
        )
    return Outcome("place", "passed", f"the tool is {place}")


def check_gripper(client: Client, operator: Operator) -> Outcome:
    """Open or close the gripper by a quarter of its range and back."""
    closed, opened = client.arm.gripper_range
    if opened <= closed:
        return Outcome("gripper", "skipped", "the arm has none that the driver moves")
    state = client.state()
    middle, way = 0.5 * (closed + opened), _GRIPPER_SHARE * (opened - closed)
    by = way if state.gripper_width < middle else -way
    goes, still = "opens" if by > 0 else "closes", np.zeros(client.arm.dof)
    operator.ask(f"The gripper {goes} by {1e3 * way:.0f} mm.", {ENTER: "starts it; any key stops it"})
    moved = move(client, operator, still, state.gripper_width + by)
    if moved.ended == STOPPED:
        return Outcome("gripper", "skipped", STOPPED)
    measured = _width_at_rest(client) - moved.before.gripper_width
    if moved.ended or measured / by < _GRIPPER_MOVED:
        found = moved.ended or f"it was to move by {1e3 * by:+.0f} mm and moved by {1e3 * measured:+.0f} mm"
        return Outcome("gripper", "failed", found)
    if operator.ask(f"Did it {goes[:-1]}?", _YES_NO) == "n":
        return Outcome("gripper", "failed", "the person saw something else than its encoder: its direction is wrong")
    return Outcome("gripper", "passed", f"it {goes}")


def _width_at_rest(client: Client) -> float:
    """Return the gripper's width (m) once it stands still, or after `_GRIPPER_S`: the arm may be at rest before it."""
    deadline = time.monotonic() + _GRIPPER_S
    width = client.state().gripper_width
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        before, width = width, client.state().gripper_width
        if abs(width - before) < _STILL_M:
            break
    return width


def check_camera(address: str) -> Outcome:
    """Check that pictures come from the camera at `address`, and how old they are then."""
    try:
        with Subscription(address, topics.FRAME, Frame, _FRAMES) as frames:
            frames.wait(_CAMERA_S)
            ages = []
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                if frames.drain():
                    ages.append((time.monotonic_ns() - frames.history[-1].time_ns) * 1e-9)
                time.sleep(0.005)
    except (ConnectionLost, WireError) as error:
        return Outcome("camera", "failed", str(error))
    if not ages:
        return Outcome("camera", "failed", f"no picture came from {address} in a second, after the first one")
    oldest = max(ages)
    found = f"{len(ages)} pictures a second from {address}, at most {1e3 * oldest:.0f} ms old"
    return Outcome("camera", "passed" if oldest <= OLDEST_S else "failed", found)


def _reset_if_stopped(client: Client, operator: Operator) -> None:
    """Let a stopped arm move again, once the person agrees."""
    state = client.state()
    if state.mode == "stopped":
        operator.ask(f"The arm is stopped: {state.reason}.", {ENTER: "lets it move again"})
        client.reset()
