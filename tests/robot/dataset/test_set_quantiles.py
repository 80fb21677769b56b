"""The quantiles of a set are those of its data, however it came about: grown, merged, split, mended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import split
from robot.dataset.format import thinned_values
from robot.dataset.format.statistics import QUANTILES, quantiles_of
from robot.dataset.format.thinned_values import MOST_KEPT, ThinnedValues
from tests.robot.dataset.edit.edits import tree
from tests.robot.dataset.foreign import write_foreign
from tests.robot.dataset.samples import CAMERA, FPS
from tests.soak import often

STATS = "meta/stats.json"


def quantiles(root: Path, name: str) -> list[list[float]]:
    entry = json.loads((root / STATS).read_text())[name]
    return [entry[key] for key in QUANTILES]


def assert_right(root: Path) -> None:
    dataset = Dataset.open(root)
    for name, feature in dataset.features.items():
        if not feature.is_picture:
            values = np.concatenate([dataset.episode(each, [name])[name] for each in range(len(dataset))])
            exact = np.quantile(values.reshape(len(values), -1).astype(float), list(QUANTILES.values()), axis=0)
            np.testing.assert_allclose(quantiles(root, name), exact, atol=1e-6, err_msg=name)


def write_places(root: Path, places: list[float], seed: int = 0) -> Path:
    """A set of one episode for each of the `places` on a table, at which the arm stays."""
    rng = np.random.default_rng(seed)
    kinds = {"x": Feature("float32", (2,)), "open": Feature("bool"), "at": Feature("int64")}
    with DatasetWriter.create(root, FPS, kinds, None, durable=False) as writer:
        for place in places:
            values = rng.uniform(place, place + 1, (rng.integers(3, 9), 2)).astype(np.float32)
            writer.save_episode({"x": values, "open": values[:, 0] > 4, "at": values[:, 0].astype(int) * 2**50}, "go")
    return root


@settings(max_examples=often(2, 100))
@given(st.lists(st.floats(-9, 9, width=16), min_size=2, max_size=3), st.integers(0, 99))
def test_quantiles_are_those_of_all_frames(
    tmp_path_factory: pytest.TempPathFactory, places: list[float], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("sets")
    grown = write_places(folder / "grown", places[:1], seed)
    with DatasetWriter.open(grown, durable=False) as writer:
        for place in places[1:]:
            values = np.full((4, 2), place, np.float32)
            writer.save_episode({"x": values, "open": values[:, 0] > 4, "at": values[:, 0].astype(int)}, "go")
    assert_right(grown)
    merge(folder / "both", [grown, write_places(folder / "other", places, seed + 1)])
    assert_right(folder / "both")
    split(folder / "both", folder / "last", {"": [1, len(places)]})
    assert_right(folder / "last")
    delete(folder / "both", [0])
    assert_right(folder / "both")
    (folder / "both" / STATS).unlink()
    repair(folder / "both")
    assert_right(folder / "both")
    found = check(folder / "both")
    assert not found.problems and not found.remarks


def test_averaged_quantiles_are_remarked_on_and_a_repair_computes_them(tmp_path: Path) -> None:
    root = write_foreign(tmp_path / "theirs")
    assert not check(root).remarks
    document = json.loads((root / STATS).read_text())
    averaged = {**document, "action": {**document["action"], "q01": document["action"]["q50"]}}
    (root / STATS).write_text(json.dumps(averaged))
    found = check(root)
    assert found.sound and any("the quantiles of action are not those of the data" in each for each in found.remarks)
    assert repair(root).problems == (f"{STATS} rewritten",)
    assert json.loads((root / STATS).read_text())["action"]["q01"] == pytest.approx(document["action"]["q01"])
    after = tree(root)
    assert repair(root).sound and tree(root) == after


def test_pictures_count_by_the_statistics_of_their_episodes(tmp_path: Path) -> None:
    kinds = {CAMERA: Feature("image", (16, 16, 3)), "x": Feature("float32")}
    with DatasetWriter.create(tmp_path / "set", FPS, kinds, None, durable=False) as writer:
        for level in (10, 240):
            pictures = np.full((9, 16, 16, 3), level, np.uint8)
            writer.save_episode({CAMERA: pictures, "x": np.zeros(9, np.float32)}, "look")
    found = np.array(quantiles(tmp_path / "set", CAMERA))
    assert found.shape == (5, 3, 1, 1)
    np.testing.assert_allclose(found[[0, 1, 3, 4], 0, 0, 0] * 255, [10, 10, 240, 240], atol=1)


def test_an_episode_that_is_refused_leaves_no_trace_in_them(tmp_path: Path) -> None:
    root = write_places(tmp_path / "set", [0.0])
    with DatasetWriter.open(root, durable=False) as writer:
        columns = {"x": np.full((50, 2), 99, np.float32), "open": np.ones(50, bool), "at": np.ones(50, int)}
        (root / "data/chunk-000/file-001.parquet.tmp").mkdir()
        with pytest.raises(Exception, match="could not be written"):
            writer.save_episode(columns, "go")
        (root / "data/chunk-000/file-001.parquet.tmp").rmdir()
        writer.save_episode(columns, "go")
    assert_right(root)


@settings(max_examples=often(5, 100))
@given(st.lists(st.integers(1, 9 * MOST_KEPT), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_of_very_many_frames_few_are_kept_and_ranks_stay(lengths: list[int], chance: object) -> None:
    rng = np.random.default_rng(chance.randrange(2**32))  # type: ignore[attr-defined]
    chunks = [rng.normal(rng.uniform(-9, 9), rng.uniform(0, 3), (length, 2)) for length in lengths]
    values = ThinnedValues(2)
    for chunk in chunks:
        values = values.with_values(chunk)
    ordered = values.ordered()
    assert len(ordered) <= 1.1 * MOST_KEPT
    exact = np.sort(np.concatenate(chunks), axis=0)
    for key, found in quantiles_of(ordered).items():
        for column in range(2):
            rank = np.searchsorted(exact[:, column], found[column]) / len(exact)
            assert abs(rank - QUANTILES[key]) < 1e-3 + 1 / len(exact)


def test_very_wide_columns_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinned_values, "_MOST_BYTES", 2**10)
    wide = ThinnedValues(100)
    for number in range(3000):
        wide = wide.with_values(np.full((1, 100), number))
        assert sum(chunk.nbytes for chunk in [*wide._kept, *wide._waiting]) <= 3 * 16 * 100 * 8
    assert 1200 <= np.median(wide.ordered()) <= 1800
