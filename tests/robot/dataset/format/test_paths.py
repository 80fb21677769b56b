from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.dataset.format.paths import inside, require_name, require_template, require_within
from robot.dataset.format.schema import DATA_PATH, VIDEO_PATH
from robot.errors import DatasetError

PIECES = st.sampled_from(
    [
        "data/", "videos/", "meta/", "..", "/", "\\", ".", "x", "\0", "\n", "0",
        "{chunk_index}", "{chunk_index:03d}", "{file_index:3}", "{file_index:99d}", "{file_index:999d}",
        "{file_index!r}",
        "{video_key}", "{video_key:9}", "{file_index.real}", "{0}", "{", "}", "{{", "}}", ".parquet", ".mp4",
    ]
)  # fmt: skip
TEMPLATES = st.lists(PIECES, max_size=10).map("".join) | st.text(max_size=60)
NUMBERS = st.integers(0, 10**9)


@given(TEMPLATES, NUMBERS, NUMBERS)
def test_whatever_a_template_says_its_paths_stay_in_the_set_or_it_is_refused(
    template: str, chunk: int, file: int
) -> None:
    for suffix, of_videos in ((".parquet", False), (".mp4", True)):
        try:
            require_template("data_path", template, suffix, of_videos)
        except DatasetError as error:
            assert str(error).isprintable()
            continue
        path = template.format(chunk_index=chunk, file_index=file, video_key="observation.images.front")
        assert os.path.normpath(path) == path and not path.startswith(("/", "meta/")) and path.endswith(suffix)
        assert len(path) < 1000


@given(st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS))
def test_each_file_of_a_set_has_a_path_of_its_own(one: tuple[int, int], other: tuple[int, int]) -> None:
    paths = {DATA_PATH.format(chunk_index=chunk, file_index=file) for chunk, file in (one, other)}
    assert len(paths) == len({one, other})


def test_the_usual_templates_are_accepted() -> None:
    require_template("data_path", DATA_PATH, ".parquet")
    require_template("video_path", VIDEO_PATH, ".mp4", of_videos=True)
    require_template("data_path", "data/{chunk_index}/{file_index:5}.parquet", ".parquet")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("../{chunk_index}-{file_index}.parquet", "without '..'"),
        ("data/../../{chunk_index}-{file_index}.parquet", "without '..'"),
        ("/tmp/{chunk_index}-{file_index}.parquet", "below the set's folder"),
        ("meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet", "must not lead into meta/"),
        ("data/{chunk_index}-{file_index:09999999999d}.parquet", "at most two digits"),
        ("data/{chunk_index}-{file_index:{chunk_index}}.parquet", "at most two digits"),
        ("data/{chunk_index}-{file_index!r:>99}.parquet", "at most two digits"),
        ("data/{chunk_index.__class__}-{file_index}.parquet", "the known ones are"),
        ("data/{0}-{chunk_index}-{file_index}.parquet", "the known ones are"),
        ("data/{episode_index:06d}.parquet", "the known ones are"),
        ("data/{file_index}.parquet", "lacks chunk_index"),
        ("data/{chunk_index}{file_index}.parquet", "nothing between them"),
        ("data/{chunk_index}-{file_index", "not a template"),
        ("data\\{chunk_index}-{file_index}.parquet", "printable"),
        ("data/{chunk_index}-{file_index}.parquet\x1b[2J", "printable"),
        ("data/{chunk_index}-{file_index}.json", "must end in .parquet"),
        (None, "not a text"),
        (7, "not a text"),
    ],
)
def test_a_template_that_leads_elsewhere_is_refused(template: object, words: str) -> None:
    with pytest.raises(DatasetError, match=words.replace(".", r"\.")) as caught:
        require_template("data_path", template, ".parquet")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/etc", "a\\b", "a\nb", "a\0b", "\x1b[2J", "x" * 300, "\ud800", None]
)
def test_a_column_that_no_folder_can_be_named_for_is_refused(name: object) -> None:
    with pytest.raises(DatasetError, match="a name that no folder can have"):
        require_name(name)


def test_a_link_may_lead_to_a_place_in_the_set_only(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    (root / "data").mkdir(parents=True)
    elsewhere.mkdir()
    (tmp_path / "set-too").mkdir()  # a name that begins as the set's
    (root / "data" / "one").write_text("1")
    (root / "data" / "two").symlink_to("one")
    require_within(root)
    assert inside(root, "data/two") == root / "data" / "two"
    for place in (elsewhere, elsewhere / "absent", tmp_path / "set-too", Path("/etc/passwd"), Path("../../elsewhere")):
        link = root / "data" / "out"
        link.symlink_to(place)
        with pytest.raises(DatasetError, match="link out of the data set"):
            require_within(root)
        with pytest.raises(DatasetError, match="leads out of the data set"):
            inside(root, "data/out/file")
        link.unlink()
    with pytest.raises(DatasetError, match="leads out of the data set"):
        inside(root, "../elsewhere/file")
    with pytest.raises(DatasetError, match="leads out of the data set"):
        inside(root, "/etc/passwd")


def test_a_set_behind_a_link_is_taken(tmp_path: Path) -> None:
    (tmp_path / "real" / "data").mkdir(parents=True)
    (tmp_path / "real" / "data" / "one").write_text("1")
    (tmp_path / "link").symlink_to("real")
    require_within(tmp_path / "link")
    assert inside(tmp_path / "link", "data/one").read_text() == "1"


def test_a_pipe_in_a_set_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    os.mkfifo(tmp_path / "meta" / "info.json")
    with pytest.raises(DatasetError, match="neither a file nor a folder"):
        require_within(tmp_path)
