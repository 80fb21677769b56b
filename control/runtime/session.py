"""Pursues goals in real time, block after block: receives pictures and states over sockets and sends waypoints.

The timing is that of the lock-step world in which the training data was made. The next block is decided from a picture
taken at the start of the running block, and sent before the running block ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from control.decision import Decision
from control.interfaces import Decider, DrawsLatents, LooksFirst, SeesEntities
from control.runtime.entry_move import approach
from control.runtime.observers import Observers
from control.runtime.outcome import outcome_of
from control.runtime.step import Outcome, Status, Step, StepObserver
from perception.camera.interface import Image
from perception.camera.subscriber import FrameSubscriber, ReceivedFrame, seen_as
from perception.checkpoint.card import require_same
from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.hold_ups import HoldUps
from robot.client.rest import wait_for_rest
from robot.embodiment.convention import arm_convention
from robot.embodiment.observation import Observation
from robot.embodiment.proprioception import Proprioception
from robot.errors import CameraError, CheckpointError, ConfigurationError, ConnectionLost, GoalError, Refused
from robot.wire.messages import JointState

HOLDER = "agent"
LEASE_S = 2.0
FIRST_PICTURE_S = 5.0
SILENT_S = 1.0
"""Seconds without a picture before the camera counts as lost. Until then the arm finishes its block and holds."""
LEAD_NS = 50_000_000
"""The shortest time before a block's start at which its waypoints must arrive for a smooth start: half the servo's
averaging window."""

_MARGIN_NS = 15_000_000
_WARM_UP = 3
# Refusals whose only cause is that a command came too late.
_TOO_LATE = ("late", "too-fast")


@dataclass(frozen=True)
class _Block:
    """A block that starts at `begins_ns`: its `action` (A,), and the set-point `target` and joint `posture` (n,) rad at
    its end. `holds`: the arm rests throughout, so the block may be extended. `tick`: the driver's first tick that
    follows the block's waypoints (0: none sent)."""

    begins_ns: int
    action: Vector
    target: object
    posture: Vector
    holds: bool
    tick: int = 0


class Session:
    """Lets `decider` move the arm of `client`, with the pictures of `frames`. The session closes none of them."""

    def __init__(
        self,
        decider: Decider,
        client: Client,
        frames: FrameSubscriber,
        observers: Sequence[StepObserver] = (),
        any_goal: bool = False,
    ) -> None:
        """Check that decider, arm and camera match; nothing moves. Pictures of another size than the decider's are cut
        and resized as in its training; `sent` is the camera as it sends them. The `observers` are called at each step.
        With `any_goal` goals are pursued that look like nothing that the decider knows.

        Raises `CheckpointError` when decider, arm and camera do not match, and `CameraError` when no picture comes.
        """
        self._decider = decider
        self._client = client
        self._frames = frames
        self._observers = tuple(observers)
        self._any_goal = any_goal
        self._hold_ups = HoldUps()
        self._embodiment = decider.embodiment
        self._require()
        self._kinematics = Kinematics(client.arm)
        try:
            self._convention = arm_convention(self._embodiment.action)
            self._proprioception = Proprioception(self._embodiment.state_names, self._convention, self._kinematics)
            self._proprioception.require(client.arm)
        except ConfigurationError as error:
            raise CheckpointError(f"this checkpoint needs a feature that this installation lacks: {error}") from error

    def pursue(
        self, goals: Sequence[Image], blocks: int | None = 40, set_goals: Callable[[], None] | None = None
    ) -> Outcome:
        """Pursue `goals`, pictures (H, W, 3) uint8 RGB, in order, until the last is reached or `blocks` have run (None:
        no limit). If the goals are reached as the arm rests, nothing moves. `set_goals` sets the decider's goals where
        they are more than pictures; None: the pictures are its goals.

        The arm holds during the first block. At the end, for any reason, the lease is given back and the arm holds;
        after that this waits for the observers.

        Raises `GoalError` for a goal of another size, `GoalError` for one that is not reached and looks like nothing
        that the decider knows, and `UnreachableError` when the arm cannot reach a start position
        of the model's actions, all before anything moves; `CameraError` when the pictures stop; `ConnectionLost` when
        the driver stops sending, or is held up again and again, or when this process was too slow to keep the lease;
        `Refused` when another client holds the lease, and after a stop; `ArmError` when the arm does not come to rest;
        and any exception of an observer.

        A driver that was held up drops its waypoints and ends the lease. The session then acquires the lease again and
        decides from where the arm rests.
        """
        self._warm_up(goals, set_goals or (lambda: self._decider.set_goals(goals)))
        with Observers(self._observers) as observers:
            outcome = self._pursue(goals, blocks, observers)
            observers.end(outcome)
        return outcome

    def _pursue(self, goals: Sequence[Image], blocks: int | None, observers: Observers) -> Outcome:
        steps: list[Step] = []
        self._hold_ups = HoldUps()
        with self._lease(), _explain_lapse():
            observers.start(goals)
            if (step := self._look(goals[-1])) is not None:
                observers.step(step)
                return outcome_of([step], step.frame.image, blocks)
            self._require_known(goals)
            self._hold_ups.persist(lambda: approach(self._client, self._kinematics, self._convention), self._acquire)
            for step in self._decisions(goals, blocks):
                steps.append(step)
                observers.step(step)
            self._come_to_rest()
            last = self._picture_after(time.monotonic_ns())
        return outcome_of(steps, last.image, blocks, self._unknown(last.image), self._hold_ups.count)

    # ---------------------------------------------------------------- before anything moves

    def _require(self) -> None:
        arm, sent = self._client.arm, self._frames.latest(FIRST_PICTURE_S).camera
        require_same(self._embodiment, arm.models_of or arm.name, sent, cut=True)
        self.sent = sent

    def _warm_up(self, goals: Sequence[Image], set_goals: Callable[[], None]) -> None:
        """Decide a few times and discard the decisions. The first ones in a process take many times as long as later
        ones."""
        set_goals()
        embodiment = self._embodiment
        nothing = Observation({embodiment.camera.name: goals[-1]}, np.zeros(len(embodiment.state_names)), 0)
        for _ in range(_WARM_UP):
            self._decider.decide(nothing, np.zeros(self._convention.size))
        set_goals()

    def _look(self, goal: Image) -> Step | None:
        """Return the step that ends the run, if the goals are reached as the arm rests; None if not. It is looked at
        before the approach, which would change the picture."""
        if not isinstance(self._decider, LooksFirst):
            return None
        wait_for_rest(self._client)
        begins_ns = time.monotonic_ns()
        frame = self._picture_after(begins_ns)
        received_ns = time.monotonic_ns()
        state = self._state_of(self._state_at(frame.time_ns))
        decision = self._decider.look(Observation({frame.camera.name: frame.image.copy()}, state, frame.time_ns))
        if decision is None:
            return None
        decided_ns = time.monotonic_ns()
        return Step(
            block=0,
            begins_ns=begins_ns,
            frame=frame,
            state=state,
            goal=goal,
            decision=decision,
            status="reached",
            command_ms=(decided_ns - frame.time_ns) * 1e-6,
            received_ns=received_ns,
            decided_ns=decided_ns,
            accepted_ns=0,
            tick=0,
            imagined=None,
        )

    def _require_known(self, goals: Sequence[Image]) -> None:
        """Raise `GoalError` for a goal that looks like nothing that the decider knows."""
        for number, goal in enumerate(goals, start=1):
            if not self._any_goal and (how := self._unknown(goal)):
                which = "the goal picture" if len(goals) == 1 else f"goal picture {number}"
                raise GoalError(
                    f"{which} looks like nothing that this model knows: {how}. Take the goal with the model's camera, "
                    "in its place, in its light, and with the arm where play had it; or pursue any goal (--any-goal)"
                )

    def _unknown(self, picture: Image) -> str:
        """Return in what way `picture` is unknown to the decider; "" when it is known or the decider cannot judge."""
        return self._decider.unknown(picture) if isinstance(self._decider, LooksFirst) else ""

    @contextmanager
    def _lease(self) -> Iterator[None]:
        """Hold the lease, and always give it back at the end."""
        self._acquire()
        try:
            yield
        finally:
            self._client.give_back()

    def _acquire(self) -> None:
        self._client.acquire(HOLDER, LEASE_S)

    # ---------------------------------------------------------------- block after block

    def _decisions(self, goals: Sequence[Image], blocks: int | None) -> Iterator[Step]:
        """Run blocks and yield their steps, until the goal is reached or `blocks` have run."""
        following: _Block | None = None
        rest_ns = first_ns = time.monotonic_ns()
        while True:
            try:
                running = following or self._hold(rest_ns)
                number = (running.begins_ns - first_ns) // self._convention.block_ns
                last = blocks is not None and number >= blocks - 1
                step, following = self._step(running, number, goals, last)
            except Refused as refusal:
                self._hold_ups.bear(refusal)
                self._acquire()
                self._come_to_rest()
                following, rest_ns = None, time.monotonic_ns()
                continue
            yield step
            if step.status in ("reached", "last"):
                return
            if following is None:
                rest_ns = self._next_rest(running)

    def _step(self, running: _Block, number: int, goals: Sequence[Image], last: bool) -> tuple[Step, _Block | None]:
        """Decide what follows the `running` block and command it, unless this is the `last` block; return the step and
        the block that follows, None if none does."""
        frame = self._first_picture(running.begins_ns)
        received_ns = time.monotonic_ns()
        state = self._state_of(self._state_at(frame.time_ns))
        seen = Observation({frame.camera.name: frame.image.copy()}, state, frame.time_ns)
        decision = self._decider.decide(seen, self._committed(running, frame.time_ns))
        decided_ns = time.monotonic_ns()
        following: _Block | None = None
        status: Status = "reached" if decision.reached else "last"
        if not decision.reached and not last:
            status, following = self._command(running, decision.action)
        answered_ns = time.monotonic_ns()
        step = Step(
            block=number,
            begins_ns=running.begins_ns,
            frame=frame,
            state=state,
            goal=_current(goals, decision),
            decision=decision,
            status=status,
            command_ms=(answered_ns - frame.time_ns) * 1e-6,
            received_ns=received_ns,
            decided_ns=decided_ns,
            accepted_ns=answered_ns if following is not None else 0,
            tick=following.tick if following is not None else 0,
            imagined=self._drawn(decision),
            entities=self._decider.entities(decision) if isinstance(self._decider, SeesEntities) else (),
        )
        return step, following

    def _come_to_rest(self) -> None:
        self._hold_ups.persist(lambda: wait_for_rest(self._client), self._acquire)

    def _state_of(self, joints: JointState) -> Vector:
        """Return the state (P,) that the decider sees of an arm's state."""
        return self._proprioception.state(
            *(joints.measured, joints.governed, joints.gripper_width, joints.gripper_command), joints.measured_effort
        )

    def _drawn(self, decision: Decision) -> Image | None:
        """Return the imagined latent as a picture; None without one, and for a decider that does not draw."""
        if decision.imagined is None or not isinstance(self._decider, DrawsLatents):
            return None
        return self._decider.draw(decision.imagined[-1])

    def _committed(self, running: _Block, seen_ns: int) -> Vector:
        """Return the action (A,) in progress at `seen_ns`, or zeros if its block has ended, because then no next block
        was sent."""
        over = seen_ns >= running.begins_ns + self._convention.block_ns
        return np.zeros_like(running.action) if over else running.action

    def _command(self, running: _Block, action: Vector) -> tuple[Status, _Block | None]:
        """Send the block of `action` (A,), to start after the `running` one. Return its status and the block; None for
        a block that was too late."""
        convention = self._convention
        ends_ns = running.begins_ns + convention.block_ns
        late = time.monotonic_ns() > ends_ns - LEAD_NS
        if late and running.holds:
            # The arm rests, so the observation is still valid, and the next block begins as soon as possible.
            ends_ns = time.monotonic_ns() + LEAD_NS + _MARGIN_NS
        if time.monotonic_ns() >= ends_ns:
            return "missed", None
        target = convention.target(running.target, action)
        waypoints = convention.block(self._kinematics, running.target, target, running.posture, ends_ns)
        try:
            accepted = self._client.send_waypoints(waypoints)
        except Refused as refusal:
            if refusal.reason not in _TOO_LATE:
                raise
            return "missed", None
        following = _Block(
            ends_ns,
            np.clip(action, -1.0, 1.0),
            target,
            np.asarray(waypoints[-1].positions),
            holds=False,
            tick=accepted.tick,
        )
        return ("late" if late else "sent"), following

    def _next_rest(self, running: _Block) -> int:
        """Return the first block boundary (monotonic ns) at which the arm rests, if no block follows `running`."""
        block_ns = self._convention.block_ns
        ends_ns = running.begins_ns + block_ns
        resting_ns = max(time.monotonic_ns(), ends_ns + LEAD_NS)
        return ends_ns + block_ns * -((ends_ns - resting_ns) // block_ns)

    def _hold(self, begins_ns: int) -> _Block:
        """Wait until `begins_ns`; return a block that holds the arm at the set-point commanded then."""
        self._client.renew()
        time.sleep(max(0, begins_ns - time.monotonic_ns()) * 1e-9)
        state = self._client.state()
        governed = np.asarray(state.governed)
        target = self._convention.set_point(self._kinematics, governed, state.gripper_command)
        return _Block(begins_ns, np.zeros(self._convention.size), target, governed, holds=True)

    def _first_picture(self, begins_ns: int) -> ReceivedFrame:
        """Return the first picture taken at or after `begins_ns`, the start of a block."""
        return self._picture_after(max(begins_ns - 1, 0))

    def _picture_after(self, time_ns: int) -> ReceivedFrame:
        """Return a picture captured after `time_ns`. Raises `CameraError` when none comes in time, and
        `ConnectionLost` when the driver is silent too."""
        block_s = self._convention.block_ns * 1e-9
        wait_s = max((time_ns - time.monotonic_ns()) * 1e-9 + SILENT_S, block_s)
        try:
            return seen_as(self._frames.newer_than(time_ns, wait_s), self._embodiment.camera)
        except CameraError:
            self._client.state()  # the simulated camera falls silent with its driver, which is then the cause to report
            raise

    def _state_at(self, time_ns: int) -> JointState:
        """Return the arm's state at `time_ns`. Raises `ConnectionLost` when there is none, and `Refused` when this
        process slept until the lease lapsed."""
        try:
            return self._client.state_near(time_ns)
        except ConnectionLost:
            self._client.renew()
            raise


def _current(goals: Sequence[Image], decision: Decision) -> Image:
    """Return the picture of the goal that is pursued; while the decider pursues sub-goals of its own, which have no
    picture, that of the goal after them."""
    return goals[max(0, len(goals) - 1 - decision.remaining_subgoals)]


@contextmanager
def _explain_lapse() -> Iterator[None]:
    """Raise `ConnectionLost`, with an explanation, for the refusals "not-holder" and "held-up"."""
    try:
        yield
    except Refused as refusal:
        if refusal.reason not in ("not-holder", "held-up"):
            raise
        raise ConnectionLost(
            f"the driver ended this agent's lease and holds the arm: either nothing came from the agent for "
            f"{LEASE_S:g} s (the machine is too busy, or the agent was paused), or someone stopped the arm, or the "
            f"driver itself was held up; it says: {refusal.detail}"
        ) from refusal
