from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot.dataset.format.statistics import (
    QUANTILES,
    merge,
    picture_statistics,
    read_statistics,
    to_json,
    vector_statistics,
)
from robot.errors import DatasetError

VALUES = st.floats(-1e3, 1e3, width=32)
EPISODES = hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(2)), elements=VALUES)


@given(EPISODES)
def test_vectors_as_numpy_has_them(values) -> None:
    found = vector_statistics({"x": values, "flag": values[:, 0] > 0})["x"]
    exact = values.astype(float)
    for key in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(found[key], getattr(exact, key)(axis=0), atol=1e-9)
    for key, fraction in QUANTILES.items():
        np.testing.assert_allclose(found[key], np.quantile(exact, fraction, axis=0), atol=1e-6)
    assert found["count"].tolist() == [len(values)]


@given(st.lists(EPISODES, min_size=1, max_size=5))
def test_merging_episodes_gives_the_statistics_of_all_their_frames(episodes) -> None:
    merged = {}
    for values in episodes:
        merged = merge(merged, vector_statistics({"x": values}))
    together = np.concatenate(episodes).astype(float)
    for key in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(merged["x"][key], getattr(together, key)(axis=0), atol=1e-4)
    assert merged["x"]["count"].tolist() == [len(together)]
    if len(episodes) > 1:
        assert not merged["x"].keys() & QUANTILES.keys(), "those of parts do not give those of the whole"


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_pictures_per_channel_between_0_and_1(frames) -> None:
    found = picture_statistics(frames)
    for key in ("min", "max", "mean", "std"):
        exact = getattr(frames.astype(float) / 255, key)(axis=(0, 1, 2)).reshape(3, 1, 1)
        np.testing.assert_allclose(found[key], exact, atol=1e-9)
    for key in QUANTILES:
        assert found[key].shape == (3, 1, 1)
        assert ((found["min"] <= found[key]) & (found[key] <= found["max"])).all()
    assert found["count"].tolist() == [len(frames)]


def test_large_pictures_are_sampled() -> None:
    frames = np.tile(np.linspace(0, 255, 640).astype(np.uint8)[None, None, :, None], (150, 48, 1, 3))
    found = picture_statistics(frames)
    assert found["count"].tolist() == [100]
    np.testing.assert_allclose(found["mean"].ravel(), frames.mean() / 255, atol=0.01)


def test_the_file(tmp_path: Path) -> None:
    assert read_statistics(tmp_path) == {}
    statistics = vector_statistics({"x": np.arange(6.0).reshape(3, 2)})
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/stats.json").write_bytes(to_json(statistics))
    assert json.loads(to_json(read_statistics(tmp_path))) == json.loads(to_json(statistics))
    (tmp_path / "meta/stats.json").write_text("{")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_statistics(tmp_path)
