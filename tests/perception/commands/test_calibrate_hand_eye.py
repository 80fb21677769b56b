from __future__ import annotations

import math
import signal
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import numpy as np
import pytest

from perception.calibration.hand_eye import angle_between
from perception.calibration.hand_eye_pairs import Pair, PairRecorder, load_pairs
from perception.calibration.hand_eye_poses import poses_around
from perception.camera.calibration_file import load_calibration, save_calibration
from robot.arm.rotations import rotation_matrix
from robot.errors import CalibrationError
from robot.system.files import write_json
from robot.wire.camera_spec import CameraSpec
from tests.commands import in_process, running
from tests.perception.calibration import board_camera
from tests.perception.calibration.board_camera import CAMERA, MOUNTINGS, Drawer, calibration
from tests.robot.driver.checks import HOME, now
from tests.robot.driver.command import DriverProcess
from tests.robot.panda import panda_spec

SPEC = panda_spec()


def record(folder: Path, name: str, poses: int = 10) -> Path:
    """Write pairs as the camera `name` would have taken them; returns the folder."""
    drawer = Drawer(name)
    recorder = PairRecorder(folder, SPEC, CameraSpec(name, 640, 480, (500.0, 500.0), (320.0, 240.0)))
    for joints in poses_around(SPEC, np.array(SPEC.home), poses, math.radians(20)):
        recorder.add(np.ascontiguousarray(drawer.draw(joints)[..., ::-1]), tuple(joints.tolist()))
    return folder


def assert_found(path: Path, name: str) -> None:
    """Within 2 mm and 0.3° of the truth."""
    found = load_calibration(path).hand_eye
    assert found is not None and found.mounting == MOUNTINGS[name] and found.arm == "panda"
    assert found.frame == ("panda_grasptarget" if name == "hand" else "base")
    position = float(np.linalg.norm(np.array(found.position) - CAMERA[name].position))
    rotation = math.degrees(angle_between(rotation_matrix(found.orientation), CAMERA[name].rotation))
    print(f"{name}: off by {1e3 * position:.2f} mm and {rotation:.3f}°, by {found.method}")
    assert position < 0.002 and rotation < 0.3
    assert found.residual_m < 0.002 and found.poses >= 6


@pytest.mark.parametrize("name", ["hand", "beside"])
def test_from_recorded_pairs_without_an_arm(tmp_path: Path, name: str) -> None:
    folder = record(tmp_path / "pairs", name)
    save_calibration(tmp_path / "c.json", calibration(name))
    words = ("--mounting", MOUNTINGS[name], "--calibration", str(tmp_path / "c.json"), "--pictures", str(folder))
    result = in_process("calibrate", "hand-eye", *words, "--output", str(tmp_path / "found.json"))
    assert result.returncode == 0, result.stderr
    assert "10 pictures, " in result.stdout and "PARK" in result.stdout and "residual 0." in result.stdout
    assert_found(tmp_path / "found.json", name)
    assert load_calibration(tmp_path / "c.json").hand_eye is None


def test_a_result_that_cannot_be_right_is_not_saved(tmp_path: Path) -> None:
    folder, known = record(tmp_path / "pairs", "hand"), tmp_path / "c.json"
    save_calibration(known, calibration("hand"))

    def run(mounting: str, *more: str) -> CompletedProcess[str]:
        words = ("--mounting", mounting, "--calibration", str(known), "--pictures", str(folder))
        return in_process("calibrate", "hand-eye", *words, *more)

    other = run("eye-to-hand")
    assert other.returncode == 1 and "give --mounting eye-in-hand" in other.stderr
    assert load_calibration(known) == calibration("hand")

    right = run("eye-in-hand")
    assert right.returncode == 0 and "warning" not in right.stdout
    used = load_calibration(known)
    assert_found(known, "hand")

    pairs = load_pairs(folder)
    joints = [pair.joints for pair in pairs.pairs]
    shifted = tuple(Pair(pair.picture, joints[index - 1]) for index, pair in enumerate(pairs.pairs))
    write_json(folder / "pairs.json", msgspec.structs.replace(pairs, pairs=shifted))
    for mounting in ("eye-in-hand", "eye-to-hand"):
        wrong = run(mounting, "--replace")
        assert wrong.returncode == 1 and "cannot be right and is not saved" in wrong.stderr
        assert "pictures and joints are not of the same moments" in wrong.stderr
    assert load_calibration(known) == used


def test_a_pose_in_use_is_not_overwritten_by_a_worse_one(tmp_path: Path) -> None:
    folder, known = record(tmp_path / "pairs", "hand", 7), tmp_path / "c.json"
    words = (
        "calibrate",
        "hand-eye",
        "--mounting",
        "eye-in-hand",
        "--calibration",
        str(known),
        "--pictures",
        str(folder),
    )
    save_calibration(known, calibration("hand"))
    assert in_process(*words).returncode == 0
    used = load_calibration(known)
    assert used.hand_eye is not None
    for change in ({"residual_m": 1e-9, "residual_rad": 1e-9}, {"mounting": "eye-to-hand"}, {"arm": "ur"}):
        better = msgspec.structs.replace(used, hand_eye=msgspec.structs.replace(used.hand_eye, **change))
        if "residual_m" in change:
            pairs = load_pairs(folder)
            shaken = tuple(
                Pair(pair.picture, tuple(joint + 0.004 * (-1) ** (index + j) for j, joint in enumerate(pair.joints)))
                for index, pair in enumerate(pairs.pairs)
            )
            write_json(folder / "pairs.json", msgspec.structs.replace(pairs, pairs=shaken))
        save_calibration(known, better)
        refused = in_process(*words)
        assert refused.returncode == 1 and "or --replace to overwrite it" in refused.stderr, refused.stdout
        assert load_calibration(known) == better
    assert in_process(*words, "--replace").returncode == 0
    assert load_calibration(known) != better


@pytest.mark.real_time
def test_with_the_arm_it_moves_looks_and_comes_back(tmp_path: Path) -> None:
    """The whole way: a driver, a camera process, and the command, which moves the arm and watches."""
    paths = (board_camera.install(tmp_path / "packages"),)
    save_calibration(tmp_path / "c.json", calibration("hand"))
    with DriverProcess(tmp_path, arm="bare") as driver:
        camera = ("camera", "--source", "board", "--name", "hand", "--width", "640", "--height", "480")
        where = ("--rate-hz", "5", "--state-address", driver.state, "--frames-address", "tcp://127.0.0.1:*")
        with running(*camera, *where, paths=paths) as frames:
            words = ("calibrate", "hand-eye", "--mounting", "eye-in-hand", "--calibration", str(tmp_path / "c.json"))
            links = ("--command-address", driver.command, "--frames-address", frames.endpoint)
            more = ("--poses", "8", "--angle", "15", "--speed", "0.5", "--save", str(tmp_path / "pairs"))
            result = in_process(*words, *links, *more)
            assert result.returncode == 0, result.stderr
            frames.end(signal.SIGINT)
        with driver.client() as client:
            state = now(client)
            assert np.abs(np.subtract(state.measured, HOME)).max() < 0.02 and state.holder == ""
    assert "pose 8 of 8: " in result.stdout
    assert_found(tmp_path / "c.json", "hand")
    assert len(load_pairs(tmp_path / "pairs").pairs) == 8


def test_what_cannot_be_worked_out_is_told_in_one_line(tmp_path: Path) -> None:
    folder = record(tmp_path / "pairs", "hand", 6)
    save_calibration(tmp_path / "c.json", calibration("hand"))

    def told(pictures: Path, known: str = "c.json") -> str:
        words = ("--mounting", "eye-in-hand", "--calibration", str(tmp_path / known), "--pictures", str(pictures))
        result = in_process("calibrate", "hand-eye", *words)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    assert "pictures alone lack the arm's joints" in told(tmp_path)
    assert "there is no calibration" in told(folder, "absent.json")
    save_calibration(tmp_path / "other.json", calibration("beside"))
    assert "is for the camera 'beside', the pictures are from 'hand'" in told(folder, "other.json")
    lens = msgspec.structs.replace(calibration("hand").lens, width=1280, height=720)
    save_calibration(tmp_path / "large.json", msgspec.structs.replace(calibration("hand"), lens=lens))
    assert "640x480, the calibration is for 1280x720" in told(folder, "large.json")
    nothing = in_process(
        *("calibrate", "hand-eye", "--mounting", "eye-in-hand", "--calibration", str(tmp_path / "c.json")),
        *("--command-address", "tcp://127.0.0.1:9"),
    )
    assert nothing.returncode == 1 and "is it running there?" in nothing.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"version": 1', b'"version": 7', "version 7"),
        (b'"pairs"', b'"peers"', "does not hold recorded pairs"),
        (b'"pose-001.png"', b'"../pose-001.png"', "not the name of a picture beside it"),
        (b'"joint_names": [', b'"joint_names": [ "one-more",', "are not 8 numbers"),
    ],
)
def test_pairs_that_are_not_wholly_valid_are_refused(tmp_path: Path, old: bytes, new: bytes, told: str) -> None:
    recorder = PairRecorder(tmp_path, SPEC, CameraSpec("hand", 8, 8, (9.0, 9.0), (4.0, 4.0)))
    recorder.add(np.zeros((8, 8, 3), np.uint8), SPEC.home)
    assert load_pairs(tmp_path).arm == SPEC
    path = tmp_path / "pairs.json"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(CalibrationError, match=told):
        load_pairs(tmp_path)
