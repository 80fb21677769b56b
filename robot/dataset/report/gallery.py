"""Renders a data set as one HTML page: a strip of pictures, the task, the length and the quality of each episode.

The page is one file that needs no other file, no network and no script, so that it can be sent and opened anywhere.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from robot.dataset.format.columns import camera_of
from robot.dataset.reader import Dataset
from robot.dataset.report.colour import as_colour
from robot.dataset.report.quality import EpisodeQuality, SetQuality, in_words, measure_quality
from robot.dataset.report.shown_cameras import not_shown, shown_cameras
from robot.system.files import atomic_write

STRIP = 6  # pictures of each episode, from its first to its last
HEIGHT = 96  # of each, pixels
_WIDEST = 960  # the same; a picture that is wider still is squeezed
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 80]
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 24px; background: #faf9f6; color: #282c34 }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(600px, 1fr)); gap: 16px }
article { background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: 10px }
article.doubted { border-left: 4px solid #c82828 }
h2 { font-size: 14px; margin: 0 0 6px } h2 small { font-weight: normal; color: #667 }
img { display: block; max-width: 100%; margin: 2px 0 } p { margin: 4px 0 0 } .remarks { color: #a33 }
"""


def write_gallery(dataset: Dataset, path: Path) -> Mapping[str, str]:
    """Write the page to `path`. Return the columns whose pictures are not shown in every episode, because worldarm does
    not read them, with the reason.

    Raises DatasetError when an episode is damaged, RecordingError when the file cannot be written.
    """
    quality = measure_quality(dataset)
    unread: dict[str, str] = {}
    with atomic_write(path) as beside, open(beside, "w", encoding="utf-8") as file:
        for text in page(dataset, quality, unread):
            file.write(text)
    return unread


def page(dataset: Dataset, quality: SetQuality, unread: dict[str, str]) -> Iterator[str]:
    """Yield the page's text, piece by piece; add columns of pictures that are not read to `unread`, with the reason."""
    name = escape(quality.name)
    yield f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>\n'
    yield f"<h1>{name}</h1>\n<p>{escape(_summary(dataset, quality))}</p>\n<main>\n"
    for one in tqdm(quality.episodes, desc="gallery", unit="episode", mininterval=0.5, delay=2.0):
        cameras, left_out = shown_cameras(dataset, one.episode)
        unread |= left_out
        yield _article(dataset, one, cameras, not_shown(left_out))
    yield "</main></html>\n"


def strip(dataset: Dataset, index: int, camera: str) -> npt.NDArray[np.uint8]:
    """Return evenly spaced pictures of one camera in an episode, side by side: (`HEIGHT`, W, 3) uint8 RGB."""
    length = dataset.episodes[index].length
    wanted = set(np.linspace(0, length - 1, STRIP).round().astype(int).tolist())
    high, wide, _ = dataset.features[camera].shape
    size = (min(max(1, round(wide * HEIGHT / high)), _WIDEST), HEIGHT)
    how = cv2.INTER_AREA if high > HEIGHT else cv2.INTER_NEAREST
    shown = [
        cv2.resize(as_colour(picture), size, interpolation=how)
        for number, picture in enumerate(dataset.frames(index, camera))
        if number in wanted
    ]
    return np.hstack(shown).astype(np.uint8)


def _summary(dataset: Dataset, quality: SetQuality) -> str:
    words = [
        f"{len(dataset)} episodes, {quality.duration_s / 60:.1f} minutes at {quality.fps} Hz",
        f"robot {dataset.info.robot_type or 'not named'}",
        f"{quality.drops} frames dropped, worst gap {quality.worst_gap_s:.3f} s" if quality.times == "captured" else "",
        *(f"{count} marked “{mark}”" for mark, count in quality.marks.items()),
    ]
    return "; ".join(word for word in words if word)


def _article(dataset: Dataset, one: EpisodeQuality, cameras: Sequence[str], missing: Sequence[str]) -> str:
    images = [_image(camera_of(camera), strip(dataset, one.episode, camera)) for camera in cameras]
    remarks = "; ".join(text for text in (in_words(one), *missing) if text)
    doubted = bool(one.marks or one.drops or one.repeats)
    return (
        f'<article id="episode-{one.episode}"{" class=doubted" if doubted else ""}>'
        f"<h2>{one.episode} · {escape(one.task)} <small>{one.duration_s:.1f} s, {one.frames} frames</small></h2>"
        f"{''.join(images)}" + (f'<p class="remarks">{escape(remarks)}</p>' if remarks else "") + "</article>\n"
    )


def _image(camera: str, picture: npt.NDArray[np.uint8]) -> str:
    """Return an HTML tag that contains the picture (H, W, 3) uint8 RGB."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _JPEG)
    return f'<img alt="{escape(camera)}" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}">'
