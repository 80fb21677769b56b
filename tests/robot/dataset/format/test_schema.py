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
        ({"codebase_version": "v2.1"}, "version 'v2.1'"),
        ({"codebase_version": "v3.0", "features": []}, "not the info"),
        ([], "not the info"),
    ],
)
def test_an_info_that_is_not_one(tmp_path: Path, document, words: str) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=words):
        read_info(tmp_path)


def test_keys_of_other_programs_are_kept(tmp_path: Path) -> None:
    info = new_info(8, {"x": Feature("float32")}, None, None)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(json.dumps({**json.loads(info.to_json()), "tools": [1]}))
    assert json.loads(read_info(tmp_path).to_json())["tools"] == [1]
