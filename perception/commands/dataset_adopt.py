"""`worldarm dataset adopt`: says of a data set that another program recorded what training must know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from perception.training_data.adoption import adopt as adopt_set
from perception.training_data.adoption import entries
from robot.dataset.format.columns import ACTION, STATE
from robot.dataset.format.schema import DatasetInfo
from robot.embodiment.actions import ACTIONS_HELP, ConventionName, convention_named
from robot.embodiment.joint_source import GRIPPER, NORMALISED, JointSource, Units, joint_source
from robot.errors import ConfigurationError
from robot.known_arms import KNOWN_ARMS, known_spec


@dataclass(frozen=True)
class AdoptOptions:
    """The options of `worldarm dataset adopt`."""

    directory: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR", help="the data set's folder")]
    arm: Annotated[str, tyro.conf.arg(help=f"the arm that moved: {', '.join(KNOWN_ARMS)}")]
    units: Annotated[
        Units,
        tyro.conf.arg(help="of the joints' numbers; normalised: from -100 at the lower limit to 100 at the upper one"),
    ]
    cameras: Annotated[
        tuple[str, ...], tyro.conf.arg(help="the cameras to keep, first the one that a model sees; none: all")
    ] = ()
    actions: Annotated[ConventionName, tyro.conf.arg(help=ACTIONS_HELP)] = "joints"
    joints: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            help="the entry of action and state, by name or place, of each joint in the arm's order; none: those "
            "called as the joints, with or without .pos"
        ),
    ] = ()
    reverse: Annotated[tuple[str, ...], tyro.conf.arg(help="joints whose numbers grow when the arm's shrink")] = ()
    offsets_deg: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="[JOINT=ANGLE ...]", help="angles of the arm's joints where the numbers are zero"),
    ] = ()
    gripper: Annotated[str | None, tyro.conf.arg(help="the gripper's entry; None: it never moves")] = GRIPPER
    gripper_range: Annotated[
        tuple[float, float], tyro.conf.arg(help="the gripper's numbers when closed and when fully open")
    ] = (0.0, NORMALISED)


def adopt(options: Annotated[AdoptOptions, tyro.conf.arg(name="")]) -> None:
    """Say of a data set that another program recorded, such as one of the Hub, what `worldarm train` must know of it.

    Adds that to meta/info.json; pictures and numbers stay as they are, and other programs read the set as before. The
    numbers are first checked against the arm's limits. The actions of the set must be joint positions.
    """
    arm = known_spec(options.arm)
    if arm is None:
        raise ConfigurationError(f"--arm must be one of {', '.join(KNOWN_ARMS)}, not {options.arm!r}")
    offsets = _offsets(options.offsets_deg)

    def source(info: DatasetInfo) -> JointSource:
        return joint_source(
            arm,
            entries(info, ACTION),
            entries(info, STATE),
            options.units,
            options.joints,
            options.reverse,
            offsets,
            options.gripper,
            options.gripper_range,
        )

    adopted = adopt_set(options.directory, arm, convention_named(options.actions, arm), source, options.cameras)
    cameras = ", ".join(camera.name for camera in adopted.recorded.cameras)
    print(
        f"{options.directory}: {adopted.rows} frames of the arm {adopted.recorded.arm}, cameras {cameras}, actions "
        f"{options.actions}; the joints were sent"
    )
    width = max(map(len, arm.joint_names))
    for name, low, high in zip(arm.joint_names, np.degrees(adopted.lower), np.degrees(adopted.upper), strict=True):
        print(f"  {name.ljust(width)}  from {low:7.1f}° to {high:7.1f}°")
    print(f"learn from it with `worldarm train --dataset {options.directory}`")


def _offsets(said: tuple[str, ...]) -> dict[str, float]:
    """Return the angle by joint. Raises `ConfigurationError` for what is not JOINT=ANGLE."""
    found = {}
    for each in said:
        joint, _, angle = each.partition("=")
        try:
            found[joint] = float(angle)
        except ValueError:
            raise ConfigurationError(f"--offsets-deg takes JOINT=ANGLE in degrees, not {each!r}") from None
    return found
