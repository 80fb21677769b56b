"""What another process or a file wrote is printed as text: no terminal obeys it, and no page takes it for HTML."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perception.calibration.hand_eye_pairs import load_pairs
from perception.camera.calibration_file import load_calibration
from perception.camera.interface import CameraOptions
from perception.camera.opencv_feed import holders
from robot.arm.interface import ArmSpec, ObjectPose
from robot.client.status import status_of
from robot.embodiment.joint_displacement import JointDisplacement
from robot.errors import CalibrationError, ConfigurationError
from robot.flight_log import records
from robot.flight_log.records import Asked, Changed, Closed, FlightLog, Opened, Ticked, WaypointsReceived
from robot.system.text import printable
from robot.wire.keyring import OTHERS, Keyring
from robot.wire.messages import Accepted, JointState, decode, encode
from tests.commands import in_process
from tests.robot.dataset.samples import write
from tests.robot.driver.checks import SPEC

EVIL = "\x1b]0;owned\x07\x1b[2Jnice\u202eecin\r\n"
SAFE = "\\x1b]0;owned\\x07\\x1b[2Jnice\\u202eecin\\r\\n"


def is_safe(shown: str) -> bool:
    """Whether a terminal would only show it."""
    return all(line.isprintable() for line in shown.split("\n")) and "owned" in shown


def test_what_does_not_print_is_written_as_an_escape() -> None:
    assert printable(EVIL) == SAFE
    assert printable("das Würfelchen 🧊") == "das Würfelchen 🧊"
    assert printable("x" * 100, 10) == "xxxxxxxxx…"


def test_a_flight_log_is_shown_as_text(tmp_path: Path) -> None:
    arm = msgspec.structs.replace(SPEC, name=EVIL)
    # As a damaged or malicious file has it: the structs themselves escape, so their fields are set behind them.
    found: list[records.Record] = [
        Asked(2, "", "", ""),
        Asked(3, "", "", ""),
        WaypointsReceived(4, (), ""),
        Changed(5, "", "", ""),
        Ticked(6, (0.0,), (0.0,), 0.0, ()),
        Closed(7, ""),
    ]
    for record in found:
        for name in record.texts:
            msgspec.structs.force_setattr(record, name, (EVIL,) if name == "clamps" else EVIL)
    msgspec.structs.force_setattr(found[1], "refused", "")
    opened = Opened(1, records.SCHEMA_VERSION, EVIL, time.time_ns(), arm, None)
    msgspec.structs.force_setattr(opened.arm, "name", EVIL)
    log = FlightLog(tmp_path / "log", lambda: opened)
    for record in found:
        log.note(record)
    log.close()
    shown = in_process("log", "show", str(tmp_path / "log"), "--everything")
    assert shown.returncode == 0 and is_safe(shown.stdout), shown
    assert shown.stdout.count(SAFE) >= 8


def test_messages_hold_no_escapes_in_any_text() -> None:
    some = (0.0,) * 7
    state = JointState(1, 1, "m", some, some, some, some, some, (), 0.0, 0.0, ("c",), "h", 0, 0, "r")
    for name in ("mode", "holder", "reason"):
        msgspec.structs.force_setattr(state, name, EVIL)
    msgspec.structs.force_setattr(state, "clamps", ("jerk", EVIL))
    arrived = decode(encode(state, 0, 0)).body
    assert isinstance(arrived, JointState) and arrived.clamps == ("jerk", SAFE)
    assert is_safe("\n".join(status_of(SPEC, [arrived]).lines))
    accepted = Accepted(0, (EVIL,), 0)
    assert accepted.clamps == (SAFE,) and ObjectPose(EVIL, (0.0,) * 3, (0.0,) * 4).name == SAFE


@pytest.mark.parametrize("kind", [ArmSpec, JointDisplacement])
def test_names_of_arms_and_conventions_hold_no_escapes(kind: type[msgspec.Struct]) -> None:
    plain: dict[str, Any] = msgspec.to_builtins(SPEC if kind is ArmSpec else JointDisplacement.of(SPEC))
    field = "joint_names" if kind is ArmSpec else "joints"
    read = msgspec.convert({**plain, field: [EVIL, *plain[field][1:]]}, kind)
    assert getattr(read, field)[0] == SAFE


def test_calibration_files_hold_no_escapes(tmp_path: Path) -> None:
    lens = {"width": 64, "height": 48, "matrix": [[60, 0, 32], [0, 60, 24], [0, 0, 1]]}
    turned = {"position": [0, 0, 0], "orientation": [0, 0, 0, 1], "residual_m": 0, "residual_rad": 0, "poses": 9}
    hand_eye = {"mounting": "eye-in-hand", "arm": EVIL, "frame": EVIL, "method": EVIL, **turned}
    document = {"version": 1, "camera": EVIL, "lens": lens, "error_px": 0.1, "views": 9, "board": {}}
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({**document, "hand_eye": hand_eye}))
    calibration = load_calibration(path)
    assert calibration.camera == SAFE and calibration.hand_eye is not None
    assert {calibration.hand_eye.arm, calibration.hand_eye.frame, calibration.hand_eye.method} == {SAFE}
    camera = {"name": "front", "width": 64, "height": 48, "focal": [60, 60], "centre": [32, 24]}
    pairs = {"version": 1, "arm": msgspec.to_builtins(SPEC), "camera": camera}
    pairs["pairs"] = [{"picture": EVIL, "joints": list(SPEC.home)}]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    with pytest.raises(CalibrationError) as raised:
        load_pairs(tmp_path)
    assert is_safe(str(raised.value))


def test_a_list_of_keys_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / OTHERS).write_text(json.dumps([{"name": "a", "public": "x" * 40, "role": "serve", "host": EVIL}]))
    (tmp_path / OTHERS).chmod(0o600)
    assert Keyring(tmp_path).others()[0].host == SAFE


def test_what_a_data_set_says_about_itself_is_shown_as_text(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write(root, 1)
    info = json.loads((root / "meta" / "info.json").read_text())
    info["robot_type"] = EVIL
    feature = next(name for name, each in info["features"].items() if each["dtype"] == "float32" and each["names"])
    info["features"][feature]["names"][0] = EVIL
    (root / "meta" / "info.json").write_text(json.dumps(info))
    shown = in_process("dataset", "info", str(root))
    assert shown.returncode == 0 and is_safe(shown.stdout) and shown.stdout.count(SAFE) == 2, shown


def test_an_error_is_one_line_that_no_terminal_obeys(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write(root, 1)
    info = json.loads((root / "meta" / "info.json").read_text())
    info["codebase_version"] = EVIL
    (root / "meta" / "info.json").write_text(json.dumps(info))
    for words in (("dataset", "info", str(root)), ("dataset", "info", str(tmp_path / EVIL.strip()))):
        failed = in_process(*words)
        assert failed.returncode == 1 and is_safe(failed.stderr) and failed.stderr.count("\n") == 1, failed


def test_names_of_cameras_and_of_who_has_a_device_open_hold_no_escapes(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        CameraOptions(name=EVIL)
    assert is_safe(str(raised.value))
    device, process = tmp_path / "video0", tmp_path / "proc" / "1"
    device.touch()
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "3").symlink_to(device.resolve())
    (process / "comm").write_bytes(b"\x1b[2Jowned\xff\n")
    assert holders(device, tmp_path / "proc") == ["process 1 (\\x1b[2Jowned\ufffd)"]
