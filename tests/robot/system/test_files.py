from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robot.errors import ConfigurationError, RecordingError
from robot.system.files import atomic_write, make_folder, require_writable
from tests.commands import ROOT, environment, on_a_full_disk


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "deep" / "out")
    assert entries(tmp_path / "deep" / "out") == []


@pytest.mark.parametrize("folder", ["/dev/null/out", "/proc/out", "file"])
def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=f"{folder} cannot be written: "):
        make_folder(tmp_path / folder)


def test_asking_whether_a_file_can_be_written_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    require_writable(tmp_path / "kept")
    require_writable(tmp_path / "deep" / "new")
    assert (tmp_path / "kept").read_text() == "kept" and entries(tmp_path / "deep") == []
    for path, why in ((tmp_path / "deep", "it is a folder"), (tmp_path / "kept" / "x", "Not a directory")):
        with pytest.raises(ConfigurationError, match=f"{path} cannot be written: {why}"):
            require_writable(path)


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "numbers.json"
    with atomic_write(path) as beside:
        assert beside.suffix == ".json"
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new" and entries(path.parent) == ["numbers.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_is_cut_off_leaves_the_earlier_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("good")
    with pytest.raises(error), atomic_write(path) as beside:
        beside.write_text("ha")
        raise error
    assert path.read_text() == "good" and entries(tmp_path) == ["film.mp4"]


def test_a_killed_process_leaves_the_earlier_file_and_the_next_write_clears_up(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("good")
    script = f"""
import os, signal
from pathlib import Path
from robot.system.files import atomic_write
with atomic_write(Path({str(path)!r})) as beside:
    beside.write_text("ha")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment())
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "good" and entries(tmp_path) == [".film.tmp.mp4", "film.mp4"]
    with atomic_write(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new" and entries(tmp_path) == ["film.mp4"]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("link", "pipe"):
        require_writable(tmp_path / name)
        with atomic_write(tmp_path / name) as beside:
            beside.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "pipe").is_fifo() and os.read(reader, 10) == b"new"
    os.close(reader)


def test_a_full_disk_is_told_with_the_file_and_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text("good")
    script = f"""
from pathlib import Path
from robot.system.files import atomic_write
with atomic_write(Path({str(path)!r})) as beside:
    beside.write_bytes(bytes(10_000))
"""
    result = on_a_full_disk("-c", script, limit=1000)
    assert f"RecordingError: {path} cannot be written: File too large" in result.stderr
    assert path.read_text() == "good" and entries(tmp_path) == ["numbers.json"]
    with (
        pytest.raises(RecordingError, match="/dev/null/x cannot be written"),
        atomic_write(Path("/dev/null/x")) as beside,
    ):
        beside.write_text("x")
