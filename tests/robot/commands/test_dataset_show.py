"""The film of an episode shows its pictures, and its curves run along with them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.report.episode_video import CURSOR, PLOT, TITLE, compose
from tests.commands import in_process
from tests.robot.dataset.foreign import picture, write_foreign
from tests.robot.dataset.samples import CAMERA, columns, features, write
from tests.robot.dataset.test_picture_kinds import declare, deep, store


def frames_of(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("picture", ["image", "video"])
def test_a_film_is_written_and_named(tmp_path: Path, picture: str) -> None:
    root = write(tmp_path / "set", 3, picture)
    film = tmp_path / "out/film.mp4"
    result = in_process("dataset", "show", str(root), "1", "--output", str(film))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{film}: episode 1, 0.6 s, task 1\n"
    frames = frames_of(film)
    assert len(frames) == 5
    with av.open(str(film)) as container:
        assert container.streams.video[0].average_rate == 8
    shown = [frame[TITLE + 10 : TITLE + 200, 30:200].mean() for frame in frames]
    stored = [pixels.mean() for pixels in columns(1, 5)[CAMERA]]
    assert np.corrcoef(shown, stored)[0, 1] > 0.99


@pytest.mark.parametrize(("fps", "kept"), [(12.5, Fraction(25, 2)), (29.97, Fraction(2997, 100))])
def test_a_set_of_a_fractional_rate_is_sound_and_its_film_has_that_rate(
    tmp_path: Path, fps: float, kept: Fraction
) -> None:
    root = write_foreign(tmp_path / "theirs", ((0, 0, 0, 0), (1, 1)), fps=fps, kind="video", apart=True)
    result = in_process("dataset", "info", str(root))
    assert f"at {fps} a second" in result.stdout, result.stderr
    merged = in_process("dataset", "merge", str(tmp_path / "ours"), str(root))
    assert merged.returncode == 0, merged.stderr
    for each in (root, tmp_path / "ours"):
        found = Dataset.open(each)
        assert check(each).problems == () and found.info.fps == fps
        for number, frame in enumerate(found.episode(0)[CAMERA]):
            assert abs(frame.mean() - picture(0, number).mean()) < 3
        film = tmp_path / f"{each.name}.mp4"
        shown = in_process("dataset", "show", str(each), "0", "--output", str(film))
        assert shown.returncode == 0, shown.stderr
        with av.open(str(film)) as container:
            assert container.streams.video[0].average_rate == kept


@pytest.mark.parametrize("names", [["motors"], list("abcdef"), {"a": 0}, None])
def test_names_of_other_things_than_numbers_hinder_no_report(tmp_path: Path, names: object) -> None:
    root = write_foreign(tmp_path / "theirs", of_action={"names": names})
    show = ("show", str(root), "0", "--output", str(tmp_path / "film.mp4"))
    for words in (show, ("quality", str(root), "--plot", str(tmp_path / "plot.png")), ("info", str(root))):
        result = in_process("dataset", *words)
        assert (result.returncode, result.stderr) == (0, "")
    assert ("not one a number" in result.stdout) == (names is not None)


@pytest.mark.parametrize("unread", ["tiff", "five channels"])
def test_a_camera_that_is_not_read_is_named_and_the_others_are_shown(tmp_path: Path, unread: str) -> None:
    wide = "observation.images.wide"
    with DatasetWriter.create(
        tmp_path / "set", 8, {wide: Feature("image", (16, 16, 3)), **features()}, None, durable=False
    ) as writer:
        writer.save_episode({wide: np.full((4, 16, 16, 3), 90, np.uint8), **columns(0, 4)}, "pick")
    declare(tmp_path / "set", [16, 16, 1 if unread == "tiff" else 5], None)
    if unread == "tiff":
        store(tmp_path / "set", [cv2.imencode(".tiff", frame)[1].tobytes() for frame in deep("uint16")])
    film, page = tmp_path / "film.mp4", tmp_path / "page.html"
    for words in (("show", "0", "--output", str(film)), ("gallery", "--output", str(page))):
        result = in_process("dataset", words[0], str(tmp_path / "set"), *words[1:])
        assert (result.returncode, result.stderr) == (0, "")
        last = result.stdout.splitlines()[-1]
        assert last.startswith("the camera front is not shown: pictures of ") and last.endswith(" are not read")
    panel = frames_of(film)[0][TITLE + 20 : TITLE + 200, 30:200]
    assert len(frames_of(film)) == 4 and abs(panel.mean() - 90) < 3
    assert page.read_text().count("<img") == 1 and "the camera front is not shown" in page.read_text()


def test_curves_run_along(tmp_path: Path) -> None:
    dataset = Dataset.open(write(tmp_path / "set", 1))
    pages = [frame[-2 * PLOT :].astype(int) for frame in compose(dataset, 0, [CAMERA])]
    cursors = [int(np.flatnonzero((page == CURSOR).all(axis=2).sum(axis=0) > PLOT)[0]) for page in pages]
    assert cursors == sorted(set(cursors))
    assert (pages[-1][:, : cursors[0]] == pages[0][:, : cursors[0]]).all()
    drawn = [(page[:, cursors[0] + 2 : cursors[-1]] < 200).any(axis=2).sum() for page in pages]
    assert drawn == sorted(drawn) and drawn[-1] > drawn[0]


def test_several_cameras_stand_side_by_side_and_none_is_no_hindrance(tmp_path: Path) -> None:
    sizes = {
        "observation.images.wide": (16, 64, 3),
        "observation.images.tall": (64, 16, 3),
        "observation.images.b": (8, 8, 3),
    }
    for name, cameras in (("three", sizes), ("none", {})):
        features = {"action": Feature("float32", (12,))} | {
            key: Feature("image", size) for key, size in cameras.items()
        }
        with DatasetWriter.create(tmp_path / name, 5, features, None, durable=False) as writer:
            pictures = {
                key: np.full((3, *size), 40 * number, np.uint8) for number, (key, size) in enumerate(cameras.items())
            }
            writer.save_episode({"action": np.zeros((3, 12), np.float32), **pictures}, "a $5 task, „größer“ & <b>")
        dataset = Dataset.open(tmp_path / name)
        frames = list(compose(dataset, 0, list(cameras)))
        assert len(frames) == 3
        height, width, _ = frames[0].shape
        assert height % 2 == width % 2 == 0 and width <= 1920
        for number in range(len(cameras)):
            assert (frames[0] == 40 * number).all(axis=2).sum() > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [(("3",), "has the episodes 0 to 2; 3 is not among them"), (("0", "--output", "film.avi"), "must end in .mp4")],
)
def test_what_cannot_be_shown_is_refused_in_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    result = in_process("dataset", "show", str(write(tmp_path / "set", 3)), *words)
    assert result.returncode == 1
    assert said in result.stderr and result.stderr.count("\n") == 1
