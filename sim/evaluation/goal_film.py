"""The film of one goal that an agent pursued in real time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from control.runtime.step import Step
from perception.camera.image_file import save_picture
from robot.web.entity_drawing import draw_goal, draw_imagined, draw_now, in_view
from robot.wire.camera_spec import CameraSpec
from robot.wire.entity_mark import EntityMark
from robot.wire.messages import SceneState
from sim.evaluation.film import Film, Image, Layout, Shot, enlarge
from sim.evaluation.large_view import LargeView
from sim.evaluation.real_time import RealEpisode
from sim.tasks.task import Goal

LAST_FRAMES = 10


@dataclass(frozen=True)
class Frame:
    """What one frame shows: the `scene`, what the agent wanted, saw and imagined (H, W, 3), None for nothing, its
    `entities`, the distance (m) from the goal, and a caption."""

    scene: SceneState
    goal: Image
    seen: Image
    imagined: Image | None
    entities: tuple[EntityMark, ...]
    distance_m: float
    caption: str


@dataclass(frozen=True)
class GoalFilm:
    """All that the film of one goal shows: a frame for each decision, and one for the end. It is written to `path`.mp4,
    and the goal picture to `path`.png. Distances up to `tolerance_m` count as reached; the goal has a `budget` of
    blocks."""

    path: Path
    picture: Image
    tolerance_m: float
    budget: int
    frames: tuple[Frame, ...]
    end: Frame


def film_of(episode: RealEpisode, goal: Goal, path: Path) -> GoalFilm:
    """Return the film of how `goal` was pursued, to be written to `path`."""
    outcome, last = episode.outcome, episode.decisions[-1]
    words = "the agent says done" if outcome.reached else f"the {goal.budget} blocks are over"
    if episode.fault:
        words = "ended by the driver: the arm is in a fault"
    frames = tuple(_frame(each.step, each.scene, each.distance_m) for each in episode.decisions)
    last_step = last.step
    end = Frame(
        *(episode.final, last_step.goal, outcome.last, last_step.imagined),
        *(last_step.entities, episode.record.final_distance_m, words),
    )
    return GoalFilm(path, goal.picture, goal.tolerance, goal.budget, frames, end)


@dataclass(frozen=True)
class GoalFilmer:
    """Writes films of goals that the agent saw through `camera`, with blocks of `block_s` seconds."""

    camera: CameraSpec
    block_s: float

    def __call__(self, film: GoalFilm) -> None:
        """Write the film and the goal picture. Raises `RecordingError` when they cannot be written."""
        save_picture(film.path.with_suffix(".png"), film.picture)
        fps = Fraction(1 / self.block_s).limit_denominator(1000)
        with LargeView(self.camera) as view:
            layout = Layout(view.width, film.picture.shape)
            with Film(film.path.with_suffix(".mp4"), fps, layout, film.tolerance_m, film.budget) as written:
                for frame in film.frames:
                    written.add(_shot(view, layout, frame), frame.distance_m, frame.caption)
                written.repeat_last(_shot(view, layout, film.end), film.end.caption, LAST_FRAMES)


def _frame(step: Step, scene: SceneState, distance_m: float) -> Frame:
    return Frame(scene, step.goal, step.frame.image, step.imagined, step.entities, distance_m, _caption(step))


def _caption(step: Step) -> str:
    decision = step.decision
    words = f"{decision.distance:.1f} blocks to go, decided in {1e3 * decision.seconds:.0f} ms"
    ahead = decision.remaining_subgoals
    if not ahead:
        return words
    wanted = dict.fromkeys(mark.name for mark in step.entities if mark.wanted)
    now = f", now {', '.join(wanted)}" if len(wanted) < len({mark.name for mark in step.entities}) else ""
    return f"{words}; {ahead} sub-goal{'s' if ahead > 1 else ''} ahead{now}"


def _shot(view: LargeView, layout: Layout, frame: Frame) -> Shot:
    """Return a frame's pictures, with marks of the things that the agent sees: in the large one where they are, in the
    others where they are wanted and imagined."""
    large = draw_now(view.picture(frame.scene), in_view(frame.entities, 0), view.scale)
    wide = layout.panel[0]
    times = wide / frame.goal.shape[1]
    goal = draw_goal(enlarge(frame.goal, wide), frame.entities, times)
    imagined = None if frame.imagined is None else draw_imagined(enlarge(frame.imagined, wide), frame.entities, times)
    return Shot(large, goal, frame.seen, imagined)
