"""`worldarm emulate so101|ur`: a protocol emulator of a real arm, for trying the driver without one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from robot.errors import ConfigurationError
from robot.hardware.so101.calibration import read_calibration
from robot.hardware.so101.emulator import So101Emulator, calibration_file, open_line, usual_calibration
from robot.hardware.ur.description import JOINTS, MODELS, ur_spec
from robot.hardware.ur.emulated_controller import JOINT_FAULT, ROBOT_MODES, SAFETY_MODES, UrController
from robot.hardware.ur.emulator import UrEmulator
from robot.system.files import require_writable

HOME = (0.0, -0.6, 0.6, 1.0, 0.0, 0.0)


def so101(
    calibration: Annotated[
        Path, tyro.conf.arg(help="the arm's calibration file; when absent, a usual calibration is written there")
    ] = Path("out/so101-calibration.json"),
    start: Annotated[
        tuple[float, float, float, float, float, float],
        tyro.conf.arg(help="initial positions of the five joints and the gripper, rad"),
    ] = HOME,
    lost: Annotated[float, tyro.conf.arg(help="share of the servos' answers that never arrive")] = 0.0,
    torn: Annotated[float, tyro.conf.arg(help="share of the servos' answers that arrive with a wrong byte")] = 0.0,
    volts: Annotated[float, tyro.conf.arg(help="supply voltage that the servos report, V")] = 7.4,
    celsius: Annotated[int, tyro.conf.arg(help="temperature that the servos report, °C")] = 30,
    errors: Annotated[
        int, tyro.conf.arg(help="error bits that all servos report from the start, such as 32 for an overload")
    ] = 0,
    wall: Annotated[
        float | None,
        tyro.conf.arg(help="position at which the last joint hits something, rad, and is overloaded"),
    ] = None,
    duration_s: Annotated[
        float | None, tyro.conf.arg(help="end after this many seconds; None: run until Ctrl-C")
    ] = None,
    seed: Annotated[int, tyro.conf.arg(help="seed of the lost and torn answers")] = 0,
) -> None:
    """Emulate an SO-101 on a serial port of its own: six servos that speak Feetech's protocol and follow their goals.

    It simulates no gravity, and no contact but --wall. At the end it reports how often a servo's torque was dropped.
    """
    for option, share in (("lost", lost), ("torn", torn)):
        if not 0.0 <= share < 1.0:
            raise ConfigurationError(f"--{option} must be at least 0 and below 1, not {share:g}")
    for option, number, most in (("celsius", celsius, 255), ("errors", errors, 127)):
        if not 0 <= number <= most:
            raise ConfigurationError(f"--{option} must be from 0 to {most}, not {number}")
    if not calibration.exists():
        require_writable(calibration)
        calibration.write_bytes(calibration_file(usual_calibration()))
    emulator = So101Emulator(read_calibration(calibration), start, lost, torn, volts, celsius, errors, wall, seed)
    own, other, path = open_line()
    print(
        f"emulator: an SO-101 on {path}, its calibration in {calibration}; try it with `worldarm driver --arm so101 "
        f"--address {path} --calibration {calibration}`, stop it with Ctrl-C",
        flush=True,
    )
    try:
        emulator.serve(own, duration_s)
    finally:
        dropped = sum(servo.torque_dropped for servo in emulator.servos.values())
        print(f"emulator: torque was dropped {dropped} times", flush=True)
        os.close(own)
        os.close(other)


def ur(
    host: Annotated[
        str, tyro.conf.arg(help="address of this machine to serve at; the ports are those of a UR")
    ] = "127.0.0.2",
    model: Annotated[str, tyro.conf.arg(help="ur3e, ur5e, ur10e or ur16e")] = "ur5e",
    start: Annotated[
        tuple[float, float, float, float, float, float] | None,
        tyro.conf.arg(help="initial positions of the six joints, rad; None: home"),
    ] = None,
    robot_mode: Annotated[str, tyro.conf.arg(help="such as POWER_OFF or IDLE")] = "RUNNING",
    safety_mode: Annotated[str, tyro.conf.arg(help="such as PROTECTIVE_STOP or ROBOT_EMERGENCY_STOP")] = "NORMAL",
    local: Annotated[bool, tyro.conf.arg(help="put the pendant in local control")] = False,
    program: Annotated[str, tyro.conf.arg(help="name of a program that already runs; empty: none")] = "",
    wall: Annotated[
        float | None,
        tyro.conf.arg(help="position at which the last joint hits something, rad, and causes a protective stop"),
    ] = None,
    joint_fault: Annotated[
        str, tyro.conf.arg(help="joint that reports a fault, which stops the arm, such as elbow; empty: none")
    ] = "",
    duration_s: Annotated[
        float | None, tyro.conf.arg(help="end after this many seconds; None: run until Ctrl-C")
    ] = None,
) -> None:
    """Emulate the controller of a UR: RTDE, the dashboard and the script ports, and joints that follow `servoj`.

    It simulates neither gravity nor contacts. Dashboard commands, such as `unlock protective stop`, work as on the
    pendant. At the end it reports how often the arm was switched off, and how often it was left in motion.
    """
    _require_known("model", model, MODELS)
    _require_known("robot-mode", robot_mode, ROBOT_MODES)
    _require_known("safety-mode", safety_mode, SAFETY_MODES)
    _require_known("joint-fault", joint_fault or JOINTS[0], JOINTS)
    controller = UrController(
        MODELS[model],
        np.array(ur_spec(model).home if start is None else start),
        robot_mode,
        safety_mode,
        not local,
        program,
        wall,
    )
    if joint_fault:
        controller.safety_mode, controller.joint_modes[JOINTS.index(joint_fault)] = "FAULT", JOINT_FAULT
    emulator = UrEmulator(controller, host)
    print(
        f"emulator: a {model.upper()[:-1]}e at {host}; try it with `worldarm driver --arm ur --address "
        f"{model}@{host}`, stop it with Ctrl-C",
        flush=True,
    )
    try:
        emulator.serve(duration_s)
    finally:
        print(
            f"emulator: torque was dropped {controller.torque_dropped} times, the arm was left in motion "
            f"{controller.left_moving} times",
            flush=True,
        )
        emulator.close()


def _require_known(option: str, word: str, known: Iterable[str]) -> None:
    if word not in known:
        raise ConfigurationError(f"--{option} {word} is none of {', '.join(known)}")
