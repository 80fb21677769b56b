"""The results of a benchmark as numbers, a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import matplotlib.pyplot as plt
import msgspec
import numpy as np

from robot.system.figures import save_figure
from sim.evaluation.episode import EpisodeRecord
from sim.evaluation.wilson import wilson


class Measured(Protocol):
    """The definition of a measurement."""

    @property
    def task(self) -> str:
        """The task's name."""

    @property
    def level(self) -> str:
        """The level at which goals are shown."""

    @property
    def subgoals(self) -> str:
        """The kind of sub-goals."""

    @property
    def seed(self) -> int:
        """The seed of the goals."""

    @property
    def things(self) -> int | None:
        """The number of graspable objects on the table; None where it is not fixed."""


Unit = Literal["m", "spread"]
"""The unit of distances: metres, or the std of the state's entries in the data (which files call "spread")."""


class Quantiles(msgspec.Struct, frozen=True):
    """Median and 99th percentile."""

    p50: float
    p99: float


class Summary(msgspec.Struct, frozen=True):
    """The results of one method on one task, with `things` graspable objects (None: any number). Shares are in [0, 1]
    with 95 % Wilson intervals. `final_distance_m` is the median, in `unit`; `blocks` is the mean over episodes; `late`
    counts decisions that came too late (real processes only)."""

    task: str
    level: str
    subgoals: str
    method: str
    episodes: int
    seed: int
    processes: bool
    success: float
    ci95: tuple[float, float]
    success_declared: float
    ci95_declared: tuple[float, float]
    final_distance_m: float
    blocks: float
    decision_ms: Quantiles
    late: int
    unit: Unit
    checkpoint_sha256: str
    records: tuple[EpisodeRecord, ...]
    things: int | None = None


def summarise(
    what: Measured, method: str, processes: bool, digest: str, records: Sequence[EpisodeRecord], unit: Unit = "m"
) -> Summary:
    """Return the summary of `records` (at least one)."""
    count = len(records)
    reached = sum(record.success for record in records)
    declared = sum(record.success_declared for record in records)
    times = np.concatenate([record.decision_ms for record in records])
    return Summary(
        task=what.task,
        level=what.level,
        subgoals=what.subgoals,
        method=method,
        episodes=count,
        seed=what.seed,
        processes=processes,
        success=reached / count,
        ci95=wilson(reached, count),
        success_declared=declared / count,
        ci95_declared=wilson(declared, count),
        final_distance_m=float(np.median([record.final_distance_m for record in records])),
        blocks=float(np.mean([record.blocks for record in records])),
        decision_ms=Quantiles(float(np.percentile(times, 50)), float(np.percentile(times, 99))),
        late=sum(record.late for record in records),
        unit=unit,
        checkpoint_sha256=digest,
        records=tuple(records),
        things=what.things,
    )


def table(summaries: Sequence[Summary]) -> str:
    """Return a Markdown table, one row per method."""
    rows = [
        "| task | level | method | goals | within the budget | when the agent says done "
        "| final distance | blocks | decision p50 / p99 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for s in summaries:
        rows.append(
            f"| {s.task} | {_level(s)} | {s.method}{_how(s)} | {s.episodes} "
            f"| {_share(s.success, s.ci95)} | {_share(s.success_declared, s.ci95_declared)} "
            f"| {_distance(s)} | {s.blocks:.1f} "
            f"| {s.decision_ms.p50:.1f} / {s.decision_ms.p99:.1f} ms |"
        )
    return "\n".join(rows)


def draw_summaries(summaries: Sequence[Summary], path: Path) -> None:
    """Write a PNG: the success of each method with its interval, and the distribution of final distances."""
    height = max(3.8, 0.55 * len(summaries) + 1.2)
    figure, (bars, curves) = plt.subplots(1, 2, figsize=(10, height))
    names = [s.method for s in summaries]
    places = np.arange(len(names))
    for offset, label, found, colour in (
        (-0.2, "within the budget", [(s.success, s.ci95) for s in summaries], "#3b6ea5"),
        (0.2, "when the agent says done", [(s.success_declared, s.ci95_declared) for s in summaries], "#d98c3f"),
    ):
        shares, reach = percent(found)
        bars.barh(places + offset, shares, 0.38, xerr=reach, capsize=3, label=label, color=colour)
    bars.set_yticks(places, names)
    bars.invert_yaxis()  # the first on top, as in the table
    bars.set_xlabel("success, % (95 % interval)")
    bars.set_xlim(0, 105)
    bars.set_title(f"{summaries[0].task}, {summaries[0].level}, {summaries[0].episodes} held-out goals", fontsize=10)
    below = -0.55 / height
    bars.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, below), ncols=2, frameon=False)
    metres = summaries[0].unit == "m"
    for s in summaries:
        finals = np.sort([(100 if metres else 1) * record.final_distance_m for record in s.records])
        curves.step(finals, 100 * np.arange(1, len(finals) + 1) / len(finals), where="post", label=s.method)
    curves.set_xlabel(f"final distance to the goal, {'cm' if metres else 'std'}")
    curves.set_ylabel("share of goals, %")
    curves.set_xlim(left=0)
    curves.grid(alpha=0.3)
    curves.legend(fontsize=8)
    save_figure(figure, path)


def _distance(summary: Summary) -> str:
    far = summary.final_distance_m
    return f"{100 * far:.1f} cm" if summary.unit == "m" else f"{far:.2f} std"


def _level(summary: Summary) -> str:
    return summary.level if summary.things is None else f"{summary.level}, {summary.things} things"


def _how(summary: Summary) -> str:
    said = [f"sub-goals {summary.subgoals}"] if summary.subgoals != "none" else []
    said += ["processes"] if summary.processes else []
    return f" ({', '.join(said)})" if said else ""


def percent(found: Sequence[tuple[float, tuple[float, float]]]) -> tuple[list[float], list[list[float]]]:
    """Return the shares in percent, and the lower and upper extents of their intervals, as for error bars."""
    shares = [100 * share for share, _ in found]
    below = [100 * (share - low) for share, (low, _) in found]
    above = [100 * (high - share) for share, (_, high) in found]
    return shares, [below, above]


def _share(share: float, interval: tuple[float, float]) -> str:
    return f"{100 * share:.0f} % [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"
