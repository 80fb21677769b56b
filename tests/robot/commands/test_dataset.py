from __future__ import annotations

from pathlib import Path

import pytest

from robot.commands.dataset import check, info, repair
from robot.errors import DatasetError
from tests.robot.dataset.samples import CAMERA, write
from tests.robot.dataset.test_reader import DATA


def test_info_tells_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info(write(tmp_path / "set", 3))
    shown = capsys.readouterr().out
    assert "robot panda" in shown
    assert "3 episodes of 4 to 6 frames, 15 in all, at 8 a second" in shown
    assert f"{CAMERA}  image" in " ".join(shown.split("\n"))
    assert "x, y, z" in shown
    assert "2         task 0" in shown


def test_info_on_an_incomplete_copy_says_what_is_missing(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    (root / DATA.format(1)).unlink()
    with pytest.raises(DatasetError, match=r"file-001\.parquet cannot be read \(No such file"):
        info(root)


def test_check_fails_until_the_set_is_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "set", 3)
    check(root)
    assert "nothing is wrong" in capsys.readouterr().out
    (root / DATA.format(1)).unlink()
    with pytest.raises(SystemExit) as exit_info:
        check(root)
    assert exit_info.value.code == 1
    assert "episode 1: the data file" in capsys.readouterr().out
    repair(root)
    assert "moved to damaged/meta/episodes" in capsys.readouterr().out
    check(root)
    repair(root)
    assert "nothing changed" in capsys.readouterr().out
