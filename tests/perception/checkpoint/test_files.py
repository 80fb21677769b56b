from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from perception.checkpoint.card import SCHEMA, Gate
from perception.checkpoint.files import CARD_FILE, WEIGHTS_FILE, load, load_card, save
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from perception.checkpoint.upgrade import OLDEST
from robot.errors import CheckpointError
from robot.wire.camera_spec import CameraSpec
from tests.tiny import CAMERA, EMBODIMENT, card

GATES = (Gate("effective rank", 17.25, 8.0, True, "dimensions"), Gate("probe", 0.4, 1.5, False, "cm"))
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def weights() -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {"a.weight": torch.randn((4, 8), generator=rng), "a.bias": torch.randn(8, generator=rng)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "checkpoint", card(GATES), weights())
    return tmp_path / "checkpoint"


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    saved = save(tmp_path, card(GATES), weights())
    loaded, tensors = load(tmp_path)
    assert loaded == saved and loaded.gates == GATES
    assert msgspec.structs.replace(loaded, weights_sha256="", card_sha256="") == card(GATES)
    assert {value.dtype for value in tensors.values()} == {torch.float32}
    assert torch.equal(tensors["a.bias"], weights()["a.bias"])
    torch.testing.assert_close(tensors["a.weight"], weights()["a.weight"], rtol=1e-3, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CARD_FILE, WEIGHTS_FILE]


def test_saving_what_was_loaded_changes_nothing(folder: Path, tmp_path: Path) -> None:
    loaded, tensors = load(folder)
    assert save(tmp_path / "again", loaded, tensors) == loaded


@pytest.mark.parametrize(("file", "words"), [(CARD_FILE, "make one with `worldarm train`"), (WEIGHTS_FILE, "copy the")])
def test_a_missing_file_is_named(folder: Path, file: str, words: str) -> None:
    (folder / file).unlink()
    with pytest.raises(CheckpointError, match=words) as caught:
        load(folder)
    assert file in str(caught.value)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        load(tmp_path / "nothing")


def test_one_that_comes_along_is_found_by_its_name_unless_there_is_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_card(Path("push")) == load_card(PRETRAINED_FOLDER / "push")
    with pytest.raises(CheckpointError, match="comes with worldarm: push"):
        load_card(Path("pull"))
    (tmp_path / "push").mkdir()
    with pytest.raises(CheckpointError, match="push holds no checkpoint"):
        load_card(Path("push"))


@same_folder
@given(file=st.sampled_from([CARD_FILE, WEIGHTS_FILE]), share=st.floats(0, 1, exclude_max=True))
def test_a_copy_that_broke_off_is_noticed(folder: Path, file: str, share: float) -> None:
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole.rstrip(b"\n")[: int(share * (len(whole) - 1))])
    try:
        with pytest.raises(CheckpointError):
            load(folder)
    finally:
        (folder / file).write_bytes(whole)


@same_folder
@given(
    file=st.sampled_from([CARD_FILE, WEIGHTS_FILE]), share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255)
)
def test_one_wrong_byte_is_noticed_or_means_nothing(folder: Path, file: str, share: float, flip: int) -> None:
    whole, (saved, _) = (folder / file).read_bytes(), load(folder)
    place = int(share * len(whole))
    (folder / file).write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
    try:
        found = load(folder)[0]
    except CheckpointError:
        pass
    else:
        # Some bytes of a card mean nothing: white space, and the name of an entry that has its default value.
        assert file == CARD_FILE and found == saved
    finally:
        (folder / file).write_bytes(whole)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"schema": "one"}', '{"model": "other"}', "not json", "\0"])
def test_other_json_is_refused(folder: Path, text: str) -> None:
    (folder / CARD_FILE).write_text(text)
    with pytest.raises(CheckpointError, match="is not a worldarm checkpoint"):
        load(folder)


def test_other_weights_are_refused(folder: Path) -> None:
    save_file({"layer": torch.zeros(3)}, folder / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match="torn or not the file"):
        load(folder)


@pytest.mark.parametrize("schema", [OLDEST - 1, SCHEMA + 1])
def test_another_schema_is_told_apart_from_damage(folder: Path, schema: int) -> None:
    (folder / CARD_FILE).write_text(json.dumps({"schema": schema, "whatever": "it held"}))
    with pytest.raises(CheckpointError, match=f"is of schema {schema} and this worldarm reads {OLDEST} to {SCHEMA}"):
        load(folder)


@pytest.mark.parametrize("edit", [lambda made: made.pop("embodiment"), lambda made: made.update(extra=1)])
def test_a_card_that_says_too_little_or_too_much_is_refused(folder: Path, edit: Callable[[dict], object]) -> None:
    said = json.loads((folder / CARD_FILE).read_text())
    edit(said)
    (folder / CARD_FILE).write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match="is not a valid checkpoint card"):
        load(folder)


def test_a_figure_changed_by_hand_is_noticed(folder: Path) -> None:
    said = (folder / CARD_FILE).read_text()
    (folder / CARD_FILE).write_text(said.replace('"block_change": 1.5', '"block_change": 9.5'))
    with pytest.raises(CheckpointError, match="was changed after it was written"):
        load(folder)


def test_a_save_cut_off_between_its_files_is_noticed(folder: Path) -> None:
    before = (folder / CARD_FILE).read_bytes()
    save(folder, card(GATES), {name: value + 1 for name, value in weights().items()})
    (folder / CARD_FILE).write_bytes(before)  # new weights, and the card of the old ones
    with pytest.raises(CheckpointError, match="torn or not the file"):
        load(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_weights_that_no_one_could_use_are_not_saved(folder: Path, value: float) -> None:
    with pytest.raises(CheckpointError, match=r"weights a\.weight are not finite"):
        save(folder, card(), {"a.weight": torch.full((2, 2), value)})
    load(folder)


def test_a_gate_without_a_figure_is_not_saved(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="the gate 'probe' is nan"):
        save(folder, card((Gate("probe", math.nan, 1.5, False, "cm"),)), weights())
    load(folder)


def test_gates_pass_on_their_side_of_the_threshold() -> None:
    assert [Gate("g", value, 2.0, True, "").passed for value in (1.9, 2.0, 2.1)] == [False, True, True]
    assert [Gate("g", value, 2.0, False, "").passed for value in (1.9, 2.0, 2.1)] == [True, True, False]


def turned(degrees: float) -> tuple[float, float, float, float]:
    """The camera's orientation, turned about its own x axis."""
    x, y, z, w = CAMERA.orientation or (0, 0, 0, 1)
    s, c = np.sin(np.radians(degrees) / 2), np.cos(np.radians(degrees) / 2)
    return (w * s + x * c, y * c + z * s, z * c - y * s, w * c - x * s)


def camera(**changes: object) -> CameraSpec:
    return msgspec.structs.replace(CAMERA, **changes)


@pytest.mark.parametrize(
    ("arm", "seen", "words"),
    [
        ("ur5e", CAMERA, "trained on the arm 'panda-sim', not 'ur5e'"),
        (EMBODIMENT.arm, camera(width=64), r"sees pictures of 32×32; the camera 'front' sends 64×32"),
        (EMBODIMENT.arm, camera(name="wrist"), "trained on the camera 'front', not 'wrist'"),
        (EMBODIMENT.arm, camera(focal=(54.0, 56.0)), "has focal lengths"),
        (EMBODIMENT.arm, camera(focal=(0.0, 54.0)), "has focal lengths"),
        (EMBODIMENT.arm, camera(centre=(16.0, 17.0)), "has its optical centre"),
        (EMBODIMENT.arm, camera(position=(1.1, 0.02, 0.7)), r"stands 2\.0 cm from where .* move it back"),
        (EMBODIMENT.arm, camera(orientation=turned(2.0)), r"is turned by 2\.0° .* turn it back"),
    ],
)
def test_another_arm_or_view_is_refused_with_what_differs(arm: str, seen: CameraSpec, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        card().require(arm, seen)


@pytest.mark.parametrize(
    "seen",
    [
        CAMERA,
        camera(focal=(54.3, 53.7), centre=(16.2, 15.9)),
        camera(position=(1.105, 0.005, 0.7), orientation=turned(0.5)),
        camera(orientation=tuple(-value for value in CAMERA.orientation or ())),  # the same rotation
        camera(position=None, orientation=None),
    ],
)
def test_the_same_view_within_tolerance_is_taken(seen: CameraSpec) -> None:
    card().require(EMBODIMENT.arm, seen)


def test_a_card_from_before_an_entry_had_a_default_is_whole(folder: Path) -> None:
    said = json.loads((folder / CARD_FILE).read_text())
    del said["embodiment"]["action"]["opening_m"]
    said["card_sha256"] = ""
    said["card_sha256"] = hashlib.sha256(
        json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()
    (folder / CARD_FILE).write_text(json.dumps(said, indent=1))
    assert load(folder)[0].embodiment.action.opening_m == 0.0
