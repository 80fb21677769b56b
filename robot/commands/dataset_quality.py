"""`worldarm dataset quality`: the quality of a recording, episode by episode."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import tyro

from robot.dataset.reader import Dataset
from robot.dataset.report.quality import SetQuality, in_words, measure_quality
from robot.dataset.report.workspace_coverage import covered, draw_workspace
from robot.system.figures import require_picture
from robot.system.files import require_writable, write_json
from robot.system.text import printable

OUT = Path("out/quality")
_MOST_GROUPS = 10


def quality(
    directory: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR", help="the data set's folder")],
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help="also write all results to this file")] = None,
    plot: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help="file of the picture; None: out/quality/NAME.png")
    ] = None,
) -> None:
    """Show the quality of a recording: rate, gaps, drops, ages, clamps, standstill, repeated starts, and marks.

    A picture shows which part of the workspace is covered. Times are the pictures' capture times where the data set has
    them (features capture_ns.CAMERA), and else its nominal times.
    """
    picture = plot or OUT / f"{directory.resolve().name}.png"
    require_picture(picture, "--plot")
    dataset = Dataset.open(directory)
    for path in (picture, *([json] if json else [])):
        require_writable(path)
    found = measure_quality(dataset)
    coverage = covered(dataset)
    _print(directory, found)
    if coverage is not None:
        where, points = coverage
        draw_workspace(where, points, picture)
        bounds = ", ".join(
            f"{name} {low:.3g} to {high:.3g}"
            for name, low, high in zip(where.names, where.lower, where.upper, strict=True)
        )
        print(f"{printable(f'{where.of}: {bounds}')}; drawn in {picture}")
    if json is not None:
        document = {**msgspec.to_builtins(found), "workspace": msgspec.to_builtins(coverage[0] if coverage else None)}
        write_json(json, document)
        print(f"all results: {json}")


def _print(directory: Path, found: SetQuality) -> None:
    print(
        f"{directory}: {len(found.episodes)} episodes, {found.frames} frames, {found.duration_s / 60:.1f} minutes; "
        f"times {found.times}"
    )
    print(
        f"rate {found.rate_hz:.2f} of {found.fps} Hz, worst gap {found.worst_gap_s:.3f} s, {found.drops} dropped, "
        f"{found.repeats} repeated" + (f", oldest {found.worst_age_s:.3f} s" if found.worst_age_s is not None else "")
    )
    if found.clamped_frames is not None:
        reasons = ", ".join(f"{reason} {count}" for reason, count in found.clamped.items())
        print(printable(f"clamped {found.clamped_frames} frames" + (f": {reasons}" if reasons else "")))
    if found.worst_change_rad is not None:
        print(f"the governor changed a set-point by at most {found.worst_change_rad:.4f} rad")
    if found.idle_s is not None:
        print(f"idle {found.idle_s:.1f} s, {found.idle_s / found.duration_s:.0%} of the time")
    if found.marks:
        print(printable("marked: " + ", ".join(f"{mark} {count}" for mark, count in found.marks.items())))
    for group in found.same_starts[:_MOST_GROUPS]:
        print(f"{len(group)} episodes start in the same state: {', '.join(map(str, group[:20]))}")
    if len(found.same_starts) > _MOST_GROUPS:
        print(f"and {len(found.same_starts) - _MOST_GROUPS} more such groups")
    print()
    print(f"{'episode':>7} {'frames':>6} {'Hz':>6} {'gap s':>6} {'age s':>6}  remarks")
    for one in found.episodes:
        age = max((age.worst_s for age in one.ages.values()), default=None)
        shown = "" if age is None else f"{age:.3f}"
        numbers = f"{one.episode:>7} {one.frames:>6} {one.rate_hz:>6.2f} {one.worst_gap_s:>6.3f} {shown:>6}"
        print(printable(f"{numbers}  {in_words(one)}".rstrip()))
