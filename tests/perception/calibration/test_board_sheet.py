from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.calibration.board_finder import BoardFinder
from perception.calibration.board_sheet import DPI, PAPERS_MM, Paper, write_sheet
from perception.camera.board import Board
from robot.errors import ConfigurationError

BOARD = Board()


@pytest.mark.parametrize("paper", ["a4", "a3", "letter"])
def test_a_png_has_true_size(tmp_path: Path, paper: Paper) -> None:
    path = tmp_path / "board.png"
    write_sheet(BOARD, paper, path)
    data = path.read_bytes()
    at = data.index(b"pHYs") + 4
    across, down, unit = struct.unpack(">IIB", data[at : at + 9])
    assert (round(across * 0.0254), round(down * 0.0254), unit) == (DPI, DPI, 1)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape[1] / across * 1e3 == pytest.approx(PAPERS_MM[paper][0], abs=0.2)
    view = BoardFinder(BOARD).find(np.asarray(picture, np.uint8)).view
    assert view is not None and len(view.ids) == len(BOARD.corners)
    first, last = view.pixels[0] / across, view.pixels[7] / across
    assert np.linalg.norm(last - first) == pytest.approx(7 * BOARD.square_m, abs=2e-4)


def test_a_pdf_has_true_size(tmp_path: Path) -> None:
    path = tmp_path / "board.pdf"
    write_sheet(BOARD, "a4", path)
    data = path.read_bytes()
    box = re.search(rb"/MediaBox \[ *([\d. ]+)\]", data)
    assert box
    _, _, width, height = map(float, box[1].split())
    assert (width / 72 * 25.4, height / 72 * 25.4) == pytest.approx(PAPERS_MM["a4"], abs=0.1)
    streams = [zlib.decompress(body) for body in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", data, re.S)]
    placed = [re.search(rb"cm ([\d.]+) 0\s+0 -([\d.]+)\s", stream) for stream in streams]
    sizes = [(float(found[1]) / 72 * 25.4, float(found[2]) / 72 * 25.4) for found in placed if found]
    assert any(size == pytest.approx((252.0, 168.0), abs=0.2) for size in sizes), sizes


def test_what_does_not_fit_or_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not fit on a4"):
        write_sheet(Board(11, 7), "a4", tmp_path / "board.pdf")
    with pytest.raises(ConfigurationError, match=r"end it in \.pdf or \.png"):
        write_sheet(BOARD, "a4", tmp_path / "board.jpg")
