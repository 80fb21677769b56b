"""A Franka arm to connect to: franky-sim's physics, controllers and servers, in a process of its own.

Unlike franky-sim's own command it keeps to real time on a busy machine: it catches up where it fell behind, it waits
for each state's answer, as an arm may count on a computer that is in real time, and what nobody here reads of its state
is renewed only every so often, for that takes most of a millisecond. It starts where told, and can report a mode that
franky-sim is never in, such as `kUserStopped`; `kReflex` is over once recovered from, unless it is stuck. It stops by
reflex when its last joint comes to a wall.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from franky_sim import mujoco_simulator
from franky_sim.franka_robot_protocol import (
    AutomaticErrorRecoveryCommand,
    AutomaticErrorRecoveryStatus,
    BaseCommand,
    MoveStatus,
    RobotCommand,
    RobotMode,
)
from franky_sim.franka_robot_server import FrankaRobotServer
from franky_sim.franka_robot_state import FrankaRobotState
from franky_sim.franka_server import FrankaServer

STEP_S = 0.001
JOINT_REFLEX = 6
"""The number of this error in libfranka's list."""
STEPS_A_WHOLE_STATE = 20
STEPS_A_HAND_STATE = 20
"""A real hand reports some 50 times a second, not with every state of the arm."""
BEHIND_S = 0.05
"""What it does not make up for: it was stopped, or has no processor."""
ANSWER_S = 0.1
"""How long it waits for an answer before it goes on without; torques that come late would shake the arm."""


class LeanRobot(mujoco_simulator.FrankaMujocoRobot):
    """A robot whose joints and torques are of now in every state, and all else of the last 20 ms."""

    has_gripper = True
    _steps = 0
    _whole: FrankaRobotState | None = None
    _commanded: tuple[float, ...] = (0.0,) * 7

    def torque_control(self, torques: Sequence[float], has_new_command: bool = True) -> None:
        super().torque_control(torques, has_new_command)
        self._commanded = tuple(np.clip(torques, self.torque_limit_low, self.torque_limit_high).tolist())

    def _post_step(self) -> None:
        if self._steps % STEPS_A_WHOLE_STATE == 0:
            super()._post_step()
            self._whole = super().state
        self._steps += 1

    @property
    def state(self) -> FrankaRobotState:
        assert self._whole is not None
        joints = self.inner_state
        return self._whole.replace(q=joints.q, q_d=joints.q, dq=joints.dq, tau_J=joints.tau_j, tau_J_d=self._commanded)


class Peer(FrankaRobotServer):
    """A server that reports `mode`, where there is one."""

    mode: RobotMode | None = None
    stuck = False
    wall: float | None = None
    hit = False
    _sent = 0
    _answered = 0

    @property
    def robot_state(self) -> FrankaRobotState:
        state = super().robot_state
        if self.hit:
            reflex = tuple(number == JOINT_REFLEX for number in range(41))
            joints = (0.0,) * 6 + (1.0,)
            state = state.replace(errors=reflex, current_errors=reflex, reflex_reason=reflex, joint_collision=joints)
        return state if self.mode is None else state.replace(robot_mode=self.mode)

    def feel(self) -> None:
        """Stop by reflex where the wall is."""
        if self.wall is None or self.hit or self.robot.inner_state.q[-1] < self.wall:
            return
        self.hit, self.mode = True, RobotMode.kReflex
        motion = self.current_motion_id
        self.stop_motion(send_preemption_signal=False)
        if motion:
            BaseCommand.send_response(self._tcp_socket, RobotCommand.kMove, motion, MoveStatus.kReflexAborted)
            self.reset_current_motion_id()

    def _reset_state(self) -> None:
        super()._reset_state()
        self._sent = self._answered = 0

    def _handle_udp_command(self, command_data: bytes) -> None:
        super()._handle_udp_command(command_data)
        self._answered = int.from_bytes(command_data[:8], "little")

    def await_answer(self) -> None:
        """Wait until whoever moves the arm has answered its last state."""
        deadline = time.monotonic() + ANSWER_S
        # States are numbered from 0.
        while self.current_motion_id and self._answered < self._sent - 1 and time.monotonic() < deadline:
            self._process_udp_commands()
            time.sleep(5e-5)

    def send_state(self) -> None:
        FrankaServer.send_state(self)
        self._sent += self.udp_connected
        if self.gripper_server is not None and self._sent % STEPS_A_HAND_STATE == 0:
            self.gripper_server.send_state()


def recover(command: AutomaticErrorRecoveryCommand, server: Any) -> None:
    """Stand for the arm's recovery."""
    if server.stuck:
        command.reply(AutomaticErrorRecoveryStatus.kManualErrorRecoveryRequiredRejected)
    else:
        server.mode = None
        command.reply(AutomaticErrorRecoveryStatus.kSuccess)


def main() -> None:
    """Serve until SIGINT."""
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("--start", nargs=7, type=float, default=(0.0, -0.1, 0.0, -2.5, 0.0, 2.4, 0.785))
    parser.add_argument("--mode")
    parser.add_argument("--wall", type=float)
    parser.add_argument("--stuck", action="store_true")
    parser.add_argument("--no-hand", action="store_true")
    options = parser.parse_args()
    LeanRobot.has_gripper = not options.no_hand
    AutomaticErrorRecoveryCommand.handle = recover
    mujoco_simulator.FrankaMujocoRobot = LeanRobot
    with mujoco_simulator.MujocoSimulator() as simulator:
        robot = simulator.add_robot(initial_q=options.start)
        server = Peer(robot, [options.host])
        server.mode = RobotMode[options.mode] if options.mode else None
        server.stuck, server.wall = options.stuck, options.wall
        server.init()
        simulator.start()
        print(f"arm at {server.hostname}", flush=True)
        due = time.monotonic()
        try:
            while True:
                server.await_answer()
                server.process_commands()
                simulator.step()
                server.feel()
                server.send_state()
                due = max(due + STEP_S, time.monotonic() - BEHIND_S)
                time.sleep(max(0.0, due - time.monotonic()))
        except KeyboardInterrupt:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
