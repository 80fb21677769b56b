from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.dataset import Feature
from robot.dataset.format.schema import BOOKKEEPING, new_info, read_info, validate_feature
from robot.errors import DatasetError

NAMES = st.text(st.characters(categories=["L", "N"], include_characters="._-"), min_size=1, max_size=20).filter(
    lambda name: name not in BOOKKEEPING and name not in (".", "..")
)
VECTORS = st.integers(1, 9).flatmap(
    lambda size: st.builds(
        Feature,
        st.sampled_from(["float32", "int64", "bool"]),
        st.just((size,)),
        st.none() | st.lists(st.text("abc", min_size=1), min_size=size, max_size=size).map(tuple),
    )
)
IMAGES = st.builds(Feature, st.just("image"), st.tuples(st.integers(1, 400), st.integers(1, 400), st.just(3)))
PLAIN = st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.lists(st.floats(allow_nan=False)))


@given(fps=st.integers(1, 1000), features=st.dictionaries(NAMES, VECTORS | IMAGES, min_size=1), metadata=PLAIN)
def test_info_survives_the_disk(tmp_path_factory: pytest.TempPathFactory, fps, features, metadata) -> None:
    if any(isinstance(item, list) and float("inf") in map(abs, item) for item in metadata.values()):
        with pytest.raises(DatasetError, match="plain JSON"):
            new_info(fps, features, "arm", metadata)
        return
    info = new_info(fps, features, "arm", metadata).with_totals(3, 40, 2)
    root = tmp_path_factory.mktemp("set")
    (root / "meta").mkdir()
    (root / "meta/info.json").write_bytes(info.to_json())
    assert read_info(root) == info
    assert list(info.user_features) == list(features)


@pytest.mark.parametrize(
    ("name", "feature", "words"),
    [
        ("a/b", Feature("float32"), "without '/'"),
        ("", Feature("float32"), "not empty"),
        ("index", Feature("int64"), "reserved for the writer"),
        ("x", Feature("float64"), "the writer knows"),
        ("x", Feature("float32", (0,)), "at least 1|≥ 1"),
        ("x", Feature("float32", (2, 2)), r"shape \(n,\)"),
        ("x", Feature("float32", (2,), ("a",)), "2 numbers but 1 names"),
        ("x", Feature("image", (4, 4, 4)), r"\(H, W, 3\)"),
        ("x", Feature("image", (4, 4)), r"\(H, W, 3\)"),
        ("x", Feature("video", (5, 4, 3)), "even"),
    ],
)
def test_features_that_cannot_be_stored(name: str, feature: Feature, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        validate_feature(name, feature)


@pytest.mark.parametrize("fps", [0, -1, 8.0, True])
def test_fps_is_a_whole_number(fps) -> None:
    with pytest.raises(DatasetError, match="whole number"):
        new_info(fps, {"x": Feature("float32")}, None, None)


def test_a_set_needs_features() -> None:
    with pytest.raises(DatasetError, match="at least one feature"):
        new_info(8, {}, None, None)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "not the info"),
        ({"codebase_version": "v2.1"}, "version 'v2.1'.*lerobot.scripts.convert_dataset_v21_to_v30 --repo-id"),
        ({"codebase_version": "v3.0", "features": []}, "not the info"),
        ([], "not the info"),
    ],
)
def test_an_info_that_is_not_one(tmp_path: Path, document, words: str) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=words):
        read_info(tmp_path)


def stored(root: Path, **changes: object) -> Path:
    """A set's info with a column `x` of three numbers, with these changes to the file and, under `x`, to the column."""
    document = json.loads(new_info(8, {"x": Feature("float32", (3,))}, None, None).to_json())
    document["features"]["x"] |= changes.pop("x", {})
    (root / "meta").mkdir(exist_ok=True)
    (root / "meta/info.json").write_text(json.dumps(document | changes))
    return root


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["a", "b", "c"], ("a", "b", "c")),
        ({"motors": ["a", "b", "c"]}, ("a", "b", "c")),
        ({"delta_x": 0, "delta_z": 2, "delta_y": 1}, ("delta_x", "delta_y", "delta_z")),
        ({"motors": {"a": 1, "b": 0}, "gripper": ["c"]}, ("b", "a", "c")),
        ({"left": ["a", "b"], "right": ["a"]}, ("left.a", "left.b", "right.a")),
        ([["a", "b"], ["c"]], ("a", "b", "c")),
        (["motors"], None),
        (list("abcdef"), None),
        ({"a": 0, "b": 0, "c": 1}, None),
        ({"motors": 3}, None),
        ([], None),
        ("abc", None),
        (7, None),
        (None, None),
        (json.loads("[" * 60 + '"a","b","c"' + "]" * 60), None),
    ],
    ids=str,
)
def test_names_are_read_in_each_form_and_written_again_as_they_were(
    tmp_path: Path, names: object, read: object
) -> None:
    info = read_info(stored(tmp_path, x={"names": names}))
    assert info.features["x"].names == read
    assert json.loads(info.to_json())["features"]["x"]["names"] == names


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=8,
    )
)
def test_whatever_the_names_are_they_are_one_a_number_or_not_used(
    tmp_path_factory: pytest.TempPathFactory, names: object
) -> None:
    root = stored(tmp_path_factory.mktemp("set"), x={"names": names})
    info = read_info(root)
    assert info.features["x"].names is None or len(info.features["x"].names) == 3
    (root / "meta/info.json").write_bytes(info.to_json())
    assert read_info(root) == info


@pytest.mark.parametrize(("fps", "read"), [(12.5, "12.5"), (30.0, "30"), (29.97, "29.97"), (0.25, "0.25"), (30, "30")])
def test_a_rate_is_kept_as_it_is(tmp_path: Path, fps: float, read: str) -> None:
    info = read_info(stored(tmp_path, fps=fps))
    assert str(info.fps) == read
    assert json.loads(info.to_json())["fps"] == fps


@pytest.mark.parametrize("fps", [0, -1, 1e-9, 1e9, True, "fast", None, [30]])
def test_a_rate_that_no_set_has_is_refused(tmp_path: Path, fps: object) -> None:
    with pytest.raises(DatasetError, match=r"not the info|fps is"):
        read_info(stored(tmp_path, fps=fps))


def test_keys_of_other_programs_are_kept(tmp_path: Path) -> None:
    info = new_info(8, {"x": Feature("float32")}, None, None)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(json.dumps({**json.loads(info.to_json()), "tools": [1]}))
    assert json.loads(read_info(tmp_path).to_json())["tools"] == [1]
