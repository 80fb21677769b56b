"""Whatever someone else's set says of its paths, no command writes or reads outside it; sources stay as they are."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.training_data.frame_cache import open_cache
from robot.commands.dataset import info as show_info
from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import split
from robot.dataset.format.staged_folders import beside
from robot.dataset.report.episode_video import write_film
from robot.dataset.report.gallery import write_gallery
from robot.dataset.report.quality import measure_quality
from robot.errors import DatasetError, WorldarmError
from tests.robot.dataset.samples import CAMERA, write
from tests.soak import often

SECRET = b"of someone else"
ROW = "meta/episodes/chunk-000/file-000.parquet"
COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "info": lambda root, new: show_info(root),
    "check": lambda root, new: check(root),
    "quality": lambda root, new: measure_quality(Dataset.open(root)),
    "gallery": lambda root, new: write_gallery(Dataset.open(root), new / "page.html"),
    "show": lambda root, new: write_film(Dataset.open(root), 0, new / "film.mp4"),
    "train": lambda root, new: open_cache(Dataset.open(root), "front", new),
    "merge": lambda root, new: merge(new / "set", [root]),
    "split": lambda root, new: split(root, new / "set", {"a": [0], "b": [1]}),
    "append": lambda root, new: DatasetWriter.open(root).close(),
    "delete": lambda root, new: delete(root, [0]),
    "repair": lambda root, new: repair(root),
}
CHANGING = ("append", "delete", "repair")

BITS = st.sampled_from(
    ["data", "videos", "meta", "..", ".", "/", "", "x", "\\", "\n", "AWAY", "{video_key}", "{chunk_index}-{file_index}"]
)
TEMPLATES = st.lists(BITS, min_size=1, max_size=6).map("/".join)
NAMES = st.lists(st.sampled_from(["..", "/", "AWAY", "x", ".", "observation.images.", "\0", "~"]), max_size=4).map(
    "".join
)
PLACES = st.sampled_from(
    [
        "meta", "data", "videos", "damaged", "notes", "meta/info.json", "meta/stats.json", "meta/tasks.parquet",
        "meta/episodes", ROW, "data/chunk-000", "data/chunk-000/file-000.parquet", "data/chunk-000/file-002.parquet",
        f"videos/{CAMERA}", f"videos/{CAMERA}/chunk-000/file-000.mp4", "meta/info.json.tmp",
    ]
)  # fmt: skip
TARGETS = st.sampled_from(["AWAY", "AWAY/file", "../away", "../../away/file", "AWAY/absent", "/dev/null", "..", "/"])
NUMBERS = st.integers(-9, 2**40)
CHANGES = st.one_of(
    st.tuples(st.just("data_path"), TEMPLATES.map(lambda text: text + ".parquet")),
    st.tuples(st.just("video_path"), TEMPLATES.map(lambda text: text + ".mp4")),
    st.tuples(st.just("feature"), NAMES),
    st.tuples(st.just("link"), st.tuples(PLACES, TARGETS)),
    st.tuples(
        st.just("row"), st.tuples(st.sampled_from(["data/file_index", "data/chunk_index"]), st.integers(-9, 2**40))
    ),
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("kept") / "set", 2, "video")


def spoil(root: Path, away: Path, kind: str, what: Any) -> None:
    """Make one of the `CHANGES` to a set; `away` is a folder outside it."""
    path = root / (what[0] if kind == "link" else ROW if kind == "row" else "meta/info.json")
    if path.is_symlink() or not path.parent.is_dir() or not path.parent.resolve().is_relative_to(root):
        return  # already a link, or behind one
    if kind == "link":
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(what[1].replace("AWAY", str(away)))
    elif kind == "row" and path.is_file():
        table = pq.read_table(path)
        column = pa.array([what[1]] * len(table), pa.int64())
        pq.write_table(table.set_column(table.column_names.index(what[0]), what[0], column), path)
    elif kind != "row" and path.is_file():
        document = json.loads(path.read_text())
        words = what.replace("AWAY", str(away))
        if kind == "feature":
            document["features"][words] = document["features"][CAMERA]
        else:
            document[kind] = words
        path.write_text(json.dumps(document))


def outside(box: Path, *inside: str) -> dict[str, Any]:
    """Everything in the box but these entries: files with their contents, links with their targets."""
    found: dict[str, Any] = {}
    for folder, folders, files in os.walk(box):
        if Path(folder) == box:
            folders[:] = [name for name in folders if name not in inside]
        for name in [*folders, *files]:
            path = Path(folder) / name
            found[str(path)] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


@settings(max_examples=often(15, 4000))
@given(command=st.sampled_from(sorted(COMMANDS)), changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_nothing_outside_is_touched(
    videos: Path, tmp_path_factory: pytest.TempPathFactory, command: str, changes: list[tuple[str, Any]]
) -> None:
    box = tmp_path_factory.mktemp("box")
    away = box / "away"
    away.mkdir()
    (away / "file").write_bytes(SECRET)
    (away / "0-0.parquet").write_bytes(SECRET)
    root = Path(shutil.copytree(videos, box / "set"))
    (box / "new").mkdir()
    for kind, what in changes:
        spoil(root, away, kind, what)
    changing = ("set",) if command in CHANGING else ()
    before = outside(box, "new", *changing)
    try:
        COMMANDS[command](root, box / "new")
    except WorldarmError as error:
        assert str(error)
        assert command not in ("merge", "split") or not (box / "new" / "set").exists()
    assert outside(box, "new", *changing) == before
    for path in (box / "new").rglob("*"):
        assert not path.is_symlink() and (path.is_dir() or SECRET not in path.read_bytes())
    shutil.rmtree(box)


def test_of_several_sets_the_one_that_leads_outside_is_named(videos: Path, tmp_path: Path) -> None:
    bad = Path(shutil.copytree(videos, tmp_path / "bad"))
    document = json.loads((bad / "meta/info.json").read_text())
    (bad / "meta/info.json").write_text(json.dumps({**document, "video_path": "../{video_key}/{chunk_index}.mp4"}))
    with pytest.raises(DatasetError, match=re.escape(f"{bad}: video_path in meta/info.json")):
        merge(tmp_path / "both", [videos, bad])


def test_links_in_a_set_and_what_else_lies_in_its_folder_survive_a_deletion(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3, "video")
    film = root / f"videos/{CAMERA}/chunk-000/file-002.mp4"
    stored = root / "videos/store.bin"
    film.rename(stored)
    film.symlink_to(os.path.relpath(stored, film.parent))
    (root / "notes.tmp").write_text("mine")
    for name, target in (("folder", "/etc"), ("file", "notes.tmp"), ("absent", "nowhere")):
        (root / name).symlink_to(target)
    delete(root, [1])
    assert check(root).problems == ()
    assert [episode.extra["seed"] for episode in Dataset.open(root).episodes] == [0, 2]
    assert (root / "notes.tmp").read_text() == "mine" and stored.exists()
    assert [os.readlink(root / name) for name in ("folder", "file", "absent")] == ["/etc", "notes.tmp", "nowhere"]


@pytest.mark.parametrize("command", ["merge", "split", "delete"])
def test_no_command_builds_its_result_behind_a_link(videos: Path, tmp_path: Path, command: str) -> None:
    root = Path(shutil.copytree(videos, tmp_path / "set"))
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "file").write_bytes(SECRET)
    (tmp_path / "new").mkdir()
    beside(root if command == "delete" else tmp_path / "new" / "set").symlink_to(tmp_path / "away")
    with pytest.raises(DatasetError, match="is a link: remove it"):
        COMMANDS[command](root, tmp_path / "new")
    assert (tmp_path / "away" / "file").read_bytes() == SECRET
