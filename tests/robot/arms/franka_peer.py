"""A Franka arm to connect to: franky-sim's physics, controllers and servers, in a process of its own.

Unlike franky-sim's own command it keeps to real time: it catches up where it fell behind, and what nobody here reads of
the arm's state is renewed only every so often, for that takes most of a millisecond. It starts where told, and can
report a mode that franky-sim is never in, such as `kUserStopped`; `kReflex` is over once recovered from, unless it is
stuck.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from franky_sim import mujoco_simulator
from franky_sim.franka_robot_protocol import AutomaticErrorRecoveryCommand, AutomaticErrorRecoveryStatus, RobotMode
from franky_sim.franka_robot_server import FrankaRobotServer
from franky_sim.franka_robot_state import FrankaRobotState
from franky_sim.franka_server import FrankaServer

STEP_S = 0.001
STEPS_A_WHOLE_STATE = 20
STEPS_A_HAND_STATE = 20
"""A real hand reports some 50 times a second, not with every state of the arm."""
BEHIND_S = 0.05
"""What it does not make up for: it was stopped, or has no processor."""


class LeanRobot(mujoco_simulator.FrankaMujocoRobot):
    """A robot whose joints are of now in every state, and all else of the last 20 ms."""

    has_gripper = True
    _steps = 0
    _whole: FrankaRobotState | None = None

    def _post_step(self) -> None:
        if self._steps % STEPS_A_WHOLE_STATE == 0:
            super()._post_step()
            self._whole = super().state
        self._steps += 1

    @property
    def state(self) -> FrankaRobotState:
        assert self._whole is not None
        joints = self.inner_state
        return self._whole.replace(q=joints.q, q_d=joints.q, dq=joints.dq, tau_J=joints.tau_j)


class Peer(FrankaRobotServer):
    """A server that reports `mode`, where there is one."""

    mode: RobotMode | None = None
    stuck = False
    _sent = 0

    @property
    def robot_state(self) -> FrankaRobotState:
        state = super().robot_state
        return state if self.mode is None else state.replace(robot_mode=self.mode)

    def send_state(self) -> None:
        FrankaServer.send_state(self)
        self._sent += 1
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
        server.stuck = options.stuck
        server.init()
        simulator.start()
        print(f"arm at {server.hostname}", flush=True)
        due = time.monotonic()
        try:
            while True:
                server.process_commands()
                simulator.step()
                server.send_state()
                due = max(due + STEP_S, time.monotonic() - BEHIND_S)
                time.sleep(max(0.0, due - time.monotonic()))
        except KeyboardInterrupt:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
