"""`worldarm dataset show|gallery`: one episode as a video, and all of them on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from robot.dataset.reader import Dataset
from robot.dataset.report.episode_video import write_film
from robot.dataset.report.gallery import write_gallery
from robot.dataset.report.shown_cameras import not_shown
from robot.errors import ConfigurationError, DatasetError
from robot.system.files import require_writable
from robot.system.text import printable

_SHOWN = 1000  # characters of an episode's words

SHOWN = Path("out/show")
GALLERIES = Path("out/gallery")
Directory = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR", help="the data set's folder")]
Number = Annotated[int, tyro.conf.Positional, tyro.conf.arg(metavar="N", help="the episode's number, from 0")]


def show(
    directory: Directory,
    episode: Number,
    output: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help="file of the video; None: out/show/NAME-episode-N.mp4")
    ] = None,
) -> None:
    """Write a video of an episode: all cameras side by side, the curves of state and action below, and the task."""
    dataset = Dataset.open(directory)
    if not 0 <= episode < len(dataset):
        raise DatasetError(f"{directory} has the episodes 0 to {len(dataset) - 1}; {episode} is not among them")
    path = output or SHOWN / f"{directory.resolve().name}-episode-{episode}.mp4"
    if path.suffix.lower() != ".mp4":
        raise ConfigurationError(f"the film {path} must end in .mp4")
    require_writable(path)
    unread = write_film(dataset, episode, path)
    seconds = dataset.episodes[episode].length / dataset.info.fps
    print(
        f"{path}: episode {episode}, {seconds:.1f} s, {printable('; '.join(dataset.episodes[episode].tasks), _SHOWN)}"
    )
    for line in not_shown(unread):
        print(line)


def gallery(
    directory: Directory,
    output: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help="file of the page; None: out/gallery/NAME.html")
    ] = None,
) -> None:
    """Write a page with a strip of pictures, length, task and quality of each episode: one file, for any browser."""
    dataset = Dataset.open(directory)
    path = output or GALLERIES / f"{directory.resolve().name}.html"
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"the page {path} must end in .html")
    require_writable(path)
    unread = write_gallery(dataset, path)
    print(f"{path}: {len(dataset)} episodes, {path.stat().st_size / 1e3:.0f} kB")
    for line in not_shown(unread):
        print(line)
