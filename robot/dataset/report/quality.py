"""Measures the quality of a recording: frame rate, lost and old pictures, clamps, standstill, and repeated starts.

Times are the pictures' capture times where the set has them, and else frame numbers, which cannot show a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from robot.dataset.format.columns import CLAMPS, GOVERNED, MEASURED, REQUESTED, STATE
from robot.dataset.format.recorder_columns import age_features, capture_features, marks_of
from robot.dataset.format.schema import Feature
from robot.dataset.reader import Columns, Dataset

IDLE_S = 0.5
"""A standstill shorter than this does not count as idle time."""
IDLE_SHARE = 0.01
"""A state entry that changes by less than this share of its range in the whole set stands still."""
SAME_START_SHARE = 0.005
"""States that differ by less than this share of the range are the same start."""

Array = npt.NDArray[np.float64]
Number = TypeVar("Number", int, float)


class Pace(msgspec.Struct, frozen=True):
    """The timing of one camera's frames in an episode: `rate_hz`; `worst_gap_s`, the longest time between two frames;
    `drops`, the number missing at the set's rate; `repeats`, the number that are no newer than the frame before."""

    rate_hz: float
    worst_gap_s: float
    drops: int
    repeats: int


class Ages(msgspec.Struct, frozen=True):
    """Ages of one camera's frames when they were paired with states, s."""

    median_s: float
    p99_s: float
    worst_s: float


class EpisodeQuality(msgspec.Struct, frozen=True):
    """The quality of one episode; None stands for what the set does not hold.

    pace, ages: by camera; without capture times `pace` is empty and the rate is the set's.
    clamped: number of frames by the governor's reason; clamped_frames: number with any reason. worst_change_rad: the
    largest difference between a requested and a governed set-point.
    idle_s, longest_idle_s: total and longest standstill. same_start_as: the first episode with the same start state.
    """

    episode: int
    task: str
    frames: int
    duration_s: float
    rate_hz: float
    worst_gap_s: float
    drops: int
    repeats: int
    pace: dict[str, Pace]
    ages: dict[str, Ages]
    clamped_frames: int | None
    clamped: dict[str, int]
    worst_change_rad: float | None
    idle_s: float | None
    longest_idle_s: float | None
    same_start_as: int | None
    marks: tuple[str, ...]


class SetQuality(msgspec.Struct, frozen=True):
    """The quality of the whole set and of each episode.

    times: "captured" or "nominal". Ages are over all cameras. marks: number of episodes by mark. same_starts: groups of
    episodes with the same start state.
    """

    name: str
    times: str
    fps: float
    frames: int
    duration_s: float
    rate_hz: float
    worst_gap_s: float
    drops: int
    repeats: int
    worst_age_s: float | None
    clamped_frames: int | None
    clamped: dict[str, int]
    worst_change_rad: float | None
    idle_s: float | None
    marks: dict[str, int]
    same_starts: tuple[tuple[int, ...], ...]
    episodes: tuple[EpisodeQuality, ...]


def measure_quality(dataset: Dataset) -> SetQuality:
    """Read all numbers of a set (no picture) and return its quality. Raises DatasetError when an episode is damaged."""
    state = state_feature(dataset.features)
    wanted = [*capture_features(dataset.features).values(), *age_features(dataset.features).values()]
    wanted += [name for name in (CLAMPS, REQUESTED, GOVERNED) if name in dataset.features]
    wanted += [state] if state else []
    bar = tqdm(range(len(dataset)), desc="measuring", unit="episode", mininterval=0.5, delay=2.0)
    numbers = [dataset.episode(index, wanted) for index in bar]
    states = [_rows(columns[state]) for columns in numbers] if state else []
    spans = (
        np.ptp(np.concatenate([[rows.min(axis=0), rows.max(axis=0)] for rows in states]), axis=0) if states else None
    )
    starts = same_starts(np.stack([rows[0] for rows in states]), spans) if spans is not None else [None] * len(dataset)
    episodes = tuple(
        _episode(dataset, index, columns, states[index] if states else None, spans, starts[index])
        for index, columns in enumerate(numbers)
    )
    return _set_quality(dataset, episodes)


def in_words(one: EpisodeQuality) -> str:
    """Return the remarks on one episode, in a line; empty when there are none."""
    words = list(one.marks)
    if one.drops:
        words.append(f"{one.drops} dropped")
    if one.repeats:
        words.append(f"{one.repeats} repeated")
    if one.clamped_frames:
        words.append(f"{one.clamped_frames} clamped ({', '.join(one.clamped)})")
    if one.idle_s is not None and one.idle_s > 0:
        words.append(f"idle {one.idle_s:.1f} s")
    if one.same_start_as is not None:
        words.append(f"starts as episode {one.same_start_as}")
    return ", ".join(words)


def state_feature(features: Mapping[str, Feature]) -> str | None:
    """Return the column that holds the arm's state; None when there is none."""
    usual = [name for name in (STATE, MEASURED) if name in features]
    return usual[0] if usual else None


def pace_of(capture_ns: npt.NDArray[np.int64], fps: float) -> Pace:
    """Return the timing of frames captured at the times `capture_ns` (T,); `fps` is the set's rate."""
    gaps = np.diff(capture_ns).astype(np.float64) * 1e-9
    if not len(gaps):
        return Pace(float(fps), 0.0, 0, 0)
    lasted = float(capture_ns[-1] - capture_ns[0]) * 1e-9
    drops = np.maximum(np.round(gaps * fps) - 1, 0).sum()
    rate = len(gaps) / lasted if lasted > 0 else 0.0
    return Pace(rate, float(gaps.max()), int(drops), int((gaps <= 0).sum()))


def idle_frames(states: Array, spans: Array, fps: float) -> npt.NDArray[np.bool_]:
    """Return which frames (T,) belong to a standstill of at least `IDLE_S`, for `states` (T, n) with ranges `spans`
    (n,) in the whole set."""
    window = max(2, round(IDLE_S * fps) + 1)
    idle = np.zeros(len(states), dtype=bool)
    if len(states) < window:
        return idle
    views = np.lib.stride_tricks.sliding_window_view(states, window, axis=0)
    still = (np.ptp(views, axis=2) <= IDLE_SHARE * spans).all(axis=1)
    for offset in range(window):
        idle[offset : offset + len(still)] |= still
    return idle


def same_starts(starts: Array, spans: Array) -> list[int | None]:
    """Return, for each start state (N, n), the index of the first earlier one that is the same, else None."""
    found: list[int | None] = []
    for number, start in enumerate(starts):
        same = (np.abs(starts[:number] - start) <= SAME_START_SHARE * spans).all(axis=1)
        first = int(same.argmax()) if same.any() else None
        # Of a chain of equal starts, the index of the first.
        found.append(first if first is None or found[first] is None else found[first])
    return found


def _episode(
    dataset: Dataset, index: int, columns: Columns, states: Array | None, spans: Array | None, same_start: int | None
) -> EpisodeQuality:
    episode, fps = dataset.episodes[index], dataset.info.fps
    pace = {camera: pace_of(columns[name], fps) for camera, name in capture_features(dataset.features).items()}
    ages = {camera: _ages(columns[name]) for camera, name in age_features(dataset.features).items()}
    clamps = _rows(columns[CLAMPS]) != 0 if CLAMPS in columns else None
    both = REQUESTED in columns and GOVERNED in columns
    idle = idle_frames(states, spans, fps) if states is not None and spans is not None else None
    return EpisodeQuality(
        episode=index,
        task="; ".join(episode.tasks),
        frames=episode.length,
        duration_s=episode.length / fps,
        rate_hz=min((one.rate_hz for one in pace.values()), default=float(fps)),
        worst_gap_s=max((one.worst_gap_s for one in pace.values()), default=1 / fps if episode.length > 1 else 0.0),
        drops=sum(one.drops for one in pace.values()),
        repeats=sum(one.repeats for one in pace.values()),
        pace=pace,
        ages=ages,
        clamped_frames=None if clamps is None else int(clamps.any(axis=1).sum()),
        clamped={} if clamps is None else _counted(dataset.features[CLAMPS], clamps),
        worst_change_rad=float(np.abs(_rows(columns[REQUESTED]) - _rows(columns[GOVERNED])).max()) if both else None,
        idle_s=None if idle is None else float(idle.sum()) / fps,
        longest_idle_s=None if idle is None else _longest(idle) / fps,
        same_start_as=same_start,
        marks=marks_of(episode),
    )


def _set_quality(dataset: Dataset, episodes: Sequence[EpisodeQuality]) -> SetQuality:
    captured = bool(capture_features(dataset.features))
    clamped: dict[str, int] = {}
    marks: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for one in episodes:
        for reason, count in one.clamped.items():
            clamped[reason] = clamped.get(reason, 0) + count
        for mark in one.marks:
            marks[mark] = marks.get(mark, 0) + 1
        if one.same_start_as is not None:
            groups.setdefault(one.same_start_as, [one.same_start_as]).append(one.episode)
    frames = sum(one.frames for one in episodes)
    timed = [one for one in episodes if one.frames > 1 and one.rate_hz > 0]
    seconds = sum((one.frames - 1) / one.rate_hz for one in timed)
    return SetQuality(
        name=dataset.root.resolve().name,
        times="captured" if captured else "nominal",
        fps=dataset.info.fps,
        frames=frames,
        duration_s=frames / dataset.info.fps,
        rate_hz=sum(one.frames - 1 for one in timed) / seconds if timed else float(dataset.info.fps),
        worst_gap_s=max(one.worst_gap_s for one in episodes),
        drops=sum(one.drops for one in episodes),
        repeats=sum(one.repeats for one in episodes),
        worst_age_s=max((age.worst_s for one in episodes for age in one.ages.values()), default=None),
        clamped_frames=_sum(one.clamped_frames for one in episodes),
        clamped=clamped,
        worst_change_rad=max(
            (one.worst_change_rad for one in episodes if one.worst_change_rad is not None), default=None
        ),
        idle_s=_sum(one.idle_s for one in episodes),
        marks=marks,
        same_starts=tuple(tuple(group) for group in groups.values()),
        episodes=tuple(episodes),
    )


def _rows(values: npt.NDArray[np.generic]) -> Array:
    return values.reshape(len(values), -1).astype(np.float64)


def _ages(age_ns: npt.NDArray[np.int64]) -> Ages:
    seconds = age_ns.astype(np.float64) * 1e-9
    median, p99 = np.percentile(seconds, (50, 99))
    return Ages(float(median), float(p99), float(seconds.max()))


def _counted(feature: Feature, clamps: npt.NDArray[np.bool_]) -> dict[str, int]:
    reasons = feature.names or tuple(f"reason {number}" for number in range(clamps.shape[1]))
    return {reason: int(count) for reason, count in zip(reasons, clamps.sum(axis=0), strict=True) if count}


def _longest(flags: npt.NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _sum(values: Iterable[Number | None]) -> Number | None:
    """Return the sum of the values that are not None; None when all are."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None
