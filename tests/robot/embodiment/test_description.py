from __future__ import annotations

import json
from pathlib import Path

import pytest

from robot.dataset.format.schema import DatasetInfo, Feature, new_info, read_info
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.description import KEY, EmbodimentDescription, RecordedEmbodiment, read_embodiment
from robot.errors import DatasetError
from robot.wire.camera_spec import CameraSpec

EMBODIMENT = EmbodimentDescription(
    arm="panda",
    camera=CameraSpec("front", 64, 48, (60.5, 60.5), (32.0, 24.0), (1.1, 0.0, 0.7), (0.5, -0.5, 0.5, -0.5)),
    action=PLANAR_PUSH,
    state_names=("tool.x", "tool.y"),
)


def written(root: Path, metadata: dict[str, object] | None) -> DatasetInfo:
    """What a data set under `root` says of itself, by way of the file."""
    (root / "meta").mkdir()
    info = new_info(8, {"action": Feature("float32", (2,))}, "panda", metadata)
    (root / "meta" / "info.json").write_bytes(info.to_json())
    return read_info(root)


@pytest.mark.parametrize("posed", [True, False])
def test_a_recipe_comes_back_from_the_file_as_it_was(tmp_path: Path, posed: bool) -> None:
    camera = EMBODIMENT.camera if posed else CameraSpec("front", 64, 48, (60.5, 60.5), (32.0, 24.0))
    embodiment = EmbodimentDescription(EMBODIMENT.arm, camera, EMBODIMENT.action, EMBODIMENT.state_names)
    assert read_embodiment(written(tmp_path, embodiment.to_metadata())) == embodiment


def test_what_else_the_file_remembers_is_no_matter(tmp_path: Path) -> None:
    assert read_embodiment(written(tmp_path, {**EMBODIMENT.to_metadata(), "play": {"seed": 3}})) == EMBODIMENT


def test_a_data_set_that_does_not_say_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="`worldarm dataset adopt` adds that"):
        read_embodiment(written(tmp_path, None))


@pytest.mark.parametrize(
    ("path", "value"),
    [(("arm",), 3), (("camera", "focal"), [60.5]), (("action", "axes"), None), (("action", "bounds"), {"lower": 1})],
)
def test_a_recipe_that_is_not_one_is_refused(tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    metadata = json.loads(json.dumps(EMBODIMENT.to_metadata()))
    entry = metadata[KEY]
    for name in path[:-1]:
        entry = entry[name]
    entry[path[-1]] = value
    with pytest.raises(DatasetError, match="is not valid"):
        read_embodiment(written(tmp_path, metadata))


@pytest.mark.parametrize(
    ("column", "feature"),
    [
        ("action", Feature("float32", (3,))),
        ("observation.state", Feature("float32", (7,))),
        ("observation.images.front", Feature("image", (64, 48, 3))),
    ],
)
def test_a_recipe_that_contradicts_the_columns_is_refused(column: str, feature: Feature) -> None:
    fitting = {
        "action": Feature("float32", (2,)),
        "observation.state": Feature("float32", (2,)),
        "observation.images.front": Feature("image", (48, 64, 3)),
    }
    assert read_embodiment(new_info(8, fitting, "panda", EMBODIMENT.to_metadata())).camera == EMBODIMENT.camera
    with pytest.raises(DatasetError, match=f"column '{column}' is of shape .* one of them was changed"):
        read_embodiment(new_info(8, {**fitting, column: feature}, "panda", EMBODIMENT.to_metadata()))


def test_of_several_cameras_one_is_seen_through() -> None:
    cameras = (
        CameraSpec("front", 80, 60, (60.0, 60.0), (40.0, 30.0)),
        CameraSpec("wrist", 32, 32, (9.0, 9.0), (16, 16)),
    )
    recorded = RecordedEmbodiment("panda", cameras, EMBODIMENT.action, EMBODIMENT.state_names)
    features = {f"observation.images.{each.name}": Feature("image", (each.height, each.width, 3)) for each in cameras}
    info = new_info(8, features, "panda", recorded.to_metadata())
    assert read_embodiment(info) == read_embodiment(info, "front") and read_embodiment(info).camera == cameras[0]
    assert read_embodiment(info, picture=(64, 64)).camera.focal == (64.0, 64.0)
    assert read_embodiment(info, "wrist", (64, 64)).camera == CameraSpec("wrist", 64, 64, (18.0, 18.0), (32.0, 32.0))
    with pytest.raises(DatasetError, match=r"no camera 'side'; it has front, wrist$"):
        read_embodiment(info, "side")
    with pytest.raises(DatasetError, match=r"no camera 'side'; it has front$"):
        read_embodiment(new_info(8, {"action": Feature("float32", (2,))}, "panda", EMBODIMENT.to_metadata()), "side")
