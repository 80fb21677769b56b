"""Splits a data set into several, such as for training and testing: by episode numbers or by shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from robot.dataset.edit.assemble import Placed, assemble, place_episodes, require_space, tasks_of
from robot.dataset.edit.delete import require_episodes
from robot.dataset.format import history
from robot.dataset.format.schema import DatasetInfo, read_info
from robot.dataset.format.staged_files import locked
from robot.dataset.format.staged_folders import new_folder, require_new
from robot.dataset.reader import Dataset
from robot.errors import ConfigurationError, DatasetError

WHOLE = ""
"""The name of a single part that has no folder of its own and becomes the output folder itself."""
_ROUNDING = 1e-9


def split(root: Path, output: Path, parts: Mapping[str, Sequence[int]]) -> dict[str, DatasetInfo]:
    """Copy each part's episodes, in the order given, into a new set `output`/NAME, and return their infos by name.

    parts: episode numbers by name; a single part named `WHOLE` becomes `output` itself. All of them appear at once.
    The set under `root` stays as it is. Frames, videos and extras are copied as they are; episodes are renumbered.

    Raises DatasetError, with nothing written, when `output` exists or lies in `root`, the set is absent, in use,
    damaged or has videos that cannot be cut, an episode is not there or in two parts; RecordingError when `output`
    cannot be written.
    """
    root = Path(root)
    require_new(output)
    if root.resolve() in output.resolve().parents:
        raise DatasetError(f"{output} would lie inside {root}: choose a folder outside")
    read_info(root)
    with locked(root, shared=True):
        dataset = Dataset.open(root)
        _require_apart(dataset, parts)
        placed = {
            name: place_episodes(dataset.info, ((dataset, dataset.episodes[number]) for number in numbers))
            for name, numbers in parts.items()
        }
        require_space(output, (one for part in placed.values() for one in part))
        infos = {}
        with (
            new_folder(output) as folder,
            tqdm(total=sum(map(len, placed.values())), desc="splitting", unit="episode", delay=2.0) as bar,
        ):
            for name, part in placed.items():
                info = history.with_step(
                    dataset.info, "split", source=root.resolve().name, episodes=history.ranges(parts[name])
                )
                infos[name] = assemble(folder / name, info, tasks_of(part), _counted(part, bar))
    return infos


def parse_parts(words: Sequence[str], episodes: int) -> dict[str, list[int]]:
    """Return the parts that `words` describe, such as "train=0:80" and "test=80:,3", or a single "0:10".

    `episodes` is the number of episodes in the set. A range is START:STOP; it excludes STOP, and either may be left
    out. Raises ConfigurationError for an invalid word, and for a name that is used twice or cannot be a folder's.
    """
    parts: dict[str, list[int]] = {}
    for word in words:
        name, equals, wanted = word.rpartition("=")
        if equals or len(words) > 1:
            _require_name(name, word)
        if name in parts:
            raise ConfigurationError(f"two parts are called {name!r}")
        parts[name] = [number for one in wanted.split(",") for number in _range(one, word, episodes)]
    return parts


def parse_shares(words: Sequence[str], episodes: int, seed: int | None) -> dict[str, list[int]]:
    """Return the parts that `words` describe, such as "train=0.8" and "test=0.2": shares of the `episodes`.

    The episodes are taken in order, or drawn at random with `seed`. Raises ConfigurationError for an invalid word, for
    shares whose sum exceeds 1, and for a part without episodes.
    """
    shares: dict[str, float] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        _require_name(name, word)
        if name in shares:
            raise ConfigurationError(f"two parts are called {name!r}")
        try:
            shares[name] = float(value)
        except ValueError:
            raise ConfigurationError(f"{word!r} is not a share; write NAME=SHARE, such as train=0.8") from None
        if not 0 < shares[name] <= 1:
            raise ConfigurationError(f"the share of {name!r} must be more than 0 and at most 1, not {value}")
    if sum(shares.values()) > 1 + _ROUNDING:
        raise ConfigurationError(f"the shares add up to {sum(shares.values()):g}, which is more than 1")
    order = list(range(episodes)) if seed is None else np.random.default_rng(seed).permutation(episodes).tolist()
    bounds = [0, *(round(float(total) * episodes) for total in np.cumsum(list(shares.values())))]
    parts = {name: sorted(order[bounds[k] : bounds[k + 1]]) for k, name in enumerate(shares)}
    if empty := [name for name, numbers in parts.items() if not numbers]:
        raise ConfigurationError(f"{', '.join(empty)} would have none of the {episodes} episodes: give it more")
    return parts


def _require_name(name: str, word: str) -> None:
    if not name or name.startswith(".") or not name.isprintable() or "/" in name or "\\" in name:
        raise ConfigurationError(
            f"{word!r} names a part as no folder can be named: write NAME=… with a printable NAME that has no '/' and "
            "does not begin with '.'"
        )


def _range(text: str, word: str, episodes: int) -> range:
    start, colon, stop = text.strip().partition(":")
    try:
        first = int(start) if start or not colon else 0
        last = (int(stop) if stop else episodes) if colon else first + 1
    except ValueError:
        raise ConfigurationError(f"{word!r} names no episodes: write numbers and START:STOP, as in 0:10,15") from None
    if first < 0 or last <= first:
        raise ConfigurationError(f"{text!r} in {word!r} holds no episode: START must be at least 0 and below STOP")
    return range(first, last)


def _require_apart(dataset: Dataset, parts: Mapping[str, Sequence[int]]) -> None:
    if not parts:
        raise DatasetError("name at least one part")
    if WHOLE in parts and len(parts) > 1:
        raise DatasetError("a part without a name must be the only one")
    owner: dict[int, str] = {}
    for name, numbers in parts.items():
        require_episodes(dataset, numbers)
        for number in numbers:
            if number in owner:
                where = "twice" if owner[number] == name else f"in {owner[number]!r} and in {name!r}"
                raise DatasetError(f"episode {number} would be {where}: parts may not overlap")
            owner[number] = name


def _counted(placed: Iterable[Placed], bar: tqdm) -> Iterator[Placed]:
    for one in placed:
        yield one
        bar.update()
