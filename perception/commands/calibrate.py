"""`worldarm calibrate board|camera`: write the board to print, and compute the lens from pictures of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import tyro

from perception.calibration.board_finder import LayoutFinder, View, views_of_one_size
from perception.calibration.board_sheet import Paper, write_sheet
from perception.calibration.coverage import Coverage, moved
from perception.calibration.intrinsics import GOOD_ERROR_PX, Intrinsics, calibrate, require_enough
from perception.calibration.kept_pictures import kept_if_refused
from perception.calibration.overwriting import calibration_at, require_no_loss
from perception.calibration.pictures import pictures_in, read_pictures
from perception.camera.board import Board
from perception.camera.calibration_file import VERSION, Calibration, LensModel, save_calibration
from perception.camera.image_file import save_picture
from perception.camera.subscriber import FrameSubscriber
from robot.errors import CameraError, ConfigurationError
from robot.system.files import make_folder, require_writable
from robot.wire.addresses import FRAMES

STILL_PX = 1.5
"""The largest motion (mean, px) of the board's corners between two pictures that counts as still."""
_PICTURE_S = 5.0

Columns = Annotated[int, tyro.conf.arg(help="squares across the board")]
Rows = Annotated[int, tyro.conf.arg(help="squares down the board")]
SquareMm = Annotated[float, tyro.conf.arg(help="width of a square, mm, as measured on the print")]
MarkerMm = Annotated[float, tyro.conf.arg(help="width of a marker, mm, as measured on the print")]
Dictionary = Annotated[str, tyro.conf.arg(help="dictionary of markers, as printed below the board")]


def board(
    output: Annotated[Path, tyro.conf.arg(help="output file: a .pdf or a .png")] = Path("board.pdf"),
    paper: Annotated[Paper, tyro.conf.arg(help="paper size, in landscape format")] = "a4",
    columns: Columns = 9,
    rows: Rows = 6,
    square_mm: SquareMm = 28.0,
    marker_mm: MarkerMm = 21.0,
    dictionary: Dictionary = "4x4_100",
) -> None:
    """Write a calibration board to print: a chessboard with numbered markers (ChArUco), in true size."""
    made = Board(columns, rows, 1e-3 * square_mm, 1e-3 * marker_mm, dictionary)
    write_sheet(made, paper, output)
    print(
        f"{output}: {made}; print it at 100 %, check the 100 mm line below it, glue it flat to something stiff, "
        "and give sizes that differ on the print as --square-mm and --marker-mm"
    )


def camera(
    pictures: Annotated[
        Path | None, tyro.conf.arg(help="folder of existing pictures, to use instead of live ones")
    ] = None,
    frames_address: Annotated[str, tyro.conf.arg(help="address of the camera process")] = FRAMES,
    output: Annotated[Path, tyro.conf.arg(help="output file of the calibration")] = Path("calibration.json"),
    name: Annotated[str | None, tyro.conf.arg(help="the camera's name; default when live: its own")] = None,
    save: Annotated[Path | None, tyro.conf.arg(help="also save the used live pictures to this folder")] = None,
    patience_s: Annotated[float, tyro.conf.arg(help="live: give up after this time, seconds")] = 600.0,
    model: Annotated[LensModel, tyro.conf.arg(help="fisheye: for lenses wider than about 100 degrees")] = "standard",
    replace: Annotated[bool, tyro.conf.arg(help="overwrite the output file even if it holds something better")] = False,
    columns: Columns = 9,
    rows: Rows = 6,
    square_mm: SquareMm = 28.0,
    marker_mm: MarkerMm = 21.0,
    dictionary: Dictionary = "4x4_100",
) -> None:
    """Compute a camera's lens from pictures of the board: focal lengths, centre and distortion.

    Live, it uses the pictures that `worldarm camera` publishes, keeps each still and new view of the board, and prints
    which views are missing. Start `worldarm camera` with the device's own --width and --height, and without
    --calibration. Boards printed by OpenCV before 4.6, and by others in its layout, are recognised.
    """
    if not 0 < patience_s < float("inf"):
        raise ConfigurationError(f"--patience-s {patience_s:g}: give a number of seconds above 0")
    known = Board(columns, rows, 1e-3 * square_mm, 1e-3 * marker_mm, dictionary)
    require_writable(output)
    before = None if replace else calibration_at(output)
    if pictures is not None:
        seen = _from_folder(pictures, known)
        found, made = _computed(seen, model, "front" if name is None else name)
        require_no_loss(before, made, output)
    else:
        with kept_if_refused(save) as folder:
            seen = _live(frames_address, known, patience_s, folder)
            found, made = _computed(seen, model, seen.camera if name is None else name)
            require_no_loss(before, made, output)
    save_calibration(output, made)
    _report(found, made, output)


@dataclass(frozen=True)
class _Views:
    """The views of a `board`, in the layout that the pictures showed, and the name of the `camera`, empty for pictures
    from a folder."""

    camera: str
    coverage: Coverage
    board: Board


def _computed(seen: _Views, model: LensModel, name: str) -> tuple[Intrinsics, Calibration]:
    require_enough(seen.coverage)
    found = calibrate(seen.coverage.views, model)
    return found, Calibration(VERSION, name, found.lens, found.error_px, found.views, seen.board)


def _report(found: Intrinsics, made: Calibration, output: Path) -> None:
    lens = found.lens
    (fx, _, cx), (_, fy, cy), _ = lens.matrix
    if found.left_out:
        print(f"{len(found.left_out)} views fit far worse than the rest and were left out")
    deviation = ("", "")
    if found.focal_deviation is not None:
        deviation = (f" ± {found.focal_deviation[0]:.1f}", f" ± {found.focal_deviation[1]:.1f}")
    print(
        f"camera {made.camera}, {lens.width}x{lens.height}: focal lengths {fx:.1f}{deviation[0]} and "
        f"{fy:.1f}{deviation[1]} px, centre ({cx:.1f}, {cy:.1f}), {lens.model} model with distortion "
        f"({', '.join(f'{number:.4f}' for number in lens.distortion)})\n"
        f"reprojection error {found.error_px:.3f} px over {found.views} views"
    )
    if made.board.legacy:
        print("the board has the layout of OpenCV before 4.6; the calibration says so")
    if found.doubtful:
        print(
            f"warning: the reprojection error is above {GOOD_ERROR_PX:g} px, so directions near the edge of the "
            "picture may be wrong by degrees: is the board flat and held still, the focus fixed, the lens a usual one?"
        )
    elif found.fisheye_error_px is not None:
        print(
            f"warning: this is a wide lens: --model fisheye fits it better ({found.fisheye_error_px:.3f} px), above "
            "all near the edge of the picture"
        )
    print(f"calibration: {output}")


def _from_folder(folder: Path, known: Board) -> _Views:
    finder, looked = LayoutFinder(known), []
    for name, picture in read_pictures(pictures_in(folder)):
        looked.append((name, (picture.shape[1], picture.shape[0]), finder.find(picture)))
    views = views_of_one_size(looked, known)
    coverage = Coverage()
    similar = [name for name, view in views if not coverage.add(view)]
    print(f"{len(looked)} pictures, {len(views)} with the board, {len(coverage.views)} different views")
    if similar:
        print(f"too similar to an earlier one: {', '.join(similar[:5])}{' …' if len(similar) > 5 else ''}")
    _tell_missing(coverage)
    return _Views("", coverage, finder.board)


def _live(address: str, known: Board, patience_s: float, save: Path) -> _Views:
    """Collect views until none is missing or `patience_s` have passed, with their pictures in the folder `save`."""
    make_folder(save)
    finder, coverage = LayoutFinder(known), Coverage()
    until = time.monotonic() + patience_s
    said, before = "", None
    with FrameSubscriber(address) as frames:
        camera = frames.latest(_PICTURE_S).camera
        print(f"camera {camera.name}, {camera.width}x{camera.height}: show it the board; Ctrl-C ends this", flush=True)
        while coverage.missing and time.monotonic() < until:
            frame = frames.latest(_PICTURE_S)
            sight = finder.find(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))  # type: ignore[arg-type]
            before, advice = _judge(sight.view, before, sight.reason, coverage)
            if not advice:
                save_picture(save / f"view-{len(coverage.views):03d}.png", frame.image)
            line = advice or f"view {len(coverage.views)} taken"
            if line != said:
                print(f"{line}; still missing: {', '.join(coverage.missing) or 'nothing'}", flush=True)
                said = line
    if not coverage.views:
        raise CameraError(f"in {patience_s:g} s camera {camera.name} never showed the board ({known})")
    _tell_missing(coverage)
    return _Views(camera.name, coverage, finder.board)


def _tell_missing(coverage: Coverage) -> None:
    for missing in coverage.missing:
        print(f"the lens is less accurate where the board was never seen: {missing}")


def _judge(view: View | None, before: View | None, reason: str, coverage: Coverage) -> tuple[View | None, str]:
    """Add `view` if it is still and new. Return it and a message for the user, empty when it was added."""
    if view is None:
        return None, reason
    if before is None or moved(view, before) > STILL_PX:
        return view, "hold the board still"
    return view, "" if coverage.add(view) else "move the board to somewhere new"
