"""`worldarm demo`: ten held-out goals in real time through the real processes, filmed."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import torch
import tyro

from control.model.trained_model import load_trained
from control.policies import make_agent
from control.runtime.step import Step
from perception.camera.image_file import save_picture
from robot.errors import ConfigurationError
from robot.system.files import make_folder
from robot.system.seeds import require_seed
from robot.web.entity_drawing import draw_goal, draw_imagined, draw_now, in_view
from robot.wire.messages import SceneState
from sim.evaluation.contact_sheet import Result, draw_contact_sheet
from sim.evaluation.demo_goals import DemoTask, demo_goals, subgoals_of, task_of_model
from sim.evaluation.evaluate import own_subgoals
from sim.evaluation.film import Film, Layout, Shot, enlarge
from sim.evaluation.large_view import LargeView
from sim.evaluation.real_time import RealEpisode, RealTime
from sim.tasks.environments import pretrained_for
from sim.tasks.task import Goal, Subgoals

LAST_FRAMES = 10
ENOUGH = 0.8


def demo(
    task: Annotated[
        DemoTask,
        tyro.conf.arg(
            help="task of the goals; three-things: picking and placing, stacking and rearranging in turn, among three "
            "things"
        ),
    ] = "push",
    goals: Annotated[int, tyro.conf.arg(help="number of held-out goals")] = 10,
    seed: Annotated[int, tyro.conf.arg(help="seed of the goals")] = 7,
    checkpoint: Annotated[
        Path | None,
        tyro.conf.arg(
            help="folder of the model, or the name of one that comes with worldarm; None: the one for the task"
        ),
    ] = None,
    subgoals: Annotated[
        Subgoals | None,
        tyro.conf.arg(
            help="sub-goals on the way to each goal, as in `worldarm benchmark`; None: things with three-things, none "
            "with a task"
        ),
    ] = None,
    output: Annotated[Path, tyro.conf.arg(help="folder for the films and the contact sheet")] = Path("out/demo"),
) -> int:
    """Give the agent goal pictures, and film how the simulated arm reaches them.

    Starts the simulated driver and camera as separate processes, and lets the agent pursue held-out goals in real time
    over ZeroMQ. Writes a film of each goal and a contact sheet of all. A film shows the scene, the goal picture, what
    the agent sees and imagines, and the distance over time. The exit status is 0 when at least eight of ten goals are
    reached, and 1 otherwise.
    """
    if goals < 1:
        raise ConfigurationError(f"--goals must be at least 1, not {goals}")
    require_seed(seed)
    make_folder(output)
    began = time.monotonic()
    # Two threads would wait for each other while driver or camera uses a core.
    torch.set_num_threads(1)
    trained = load_trained(checkpoint or pretrained_for(task_of_model(task)))
    followed = subgoals_of(task, subgoals)
    agent = make_agent(trained, "full", seed, subgoals=own_subgoals(followed))
    embodiment = trained.card.embodiment
    print(f"demo: {goals} held-out {task} goals, seed {seed}; choosing them ...", flush=True)
    chosen = demo_goals(embodiment, task, seed, goals)
    stage = RealTime(agent)
    results: list[Result] = []
    times: list[float] = []
    with stage, LargeView(embodiment.camera) as view:
        print(f"demo: driver at {stage.addresses.command}, camera at {stage.addresses.frames}", flush=True)
        for goal in chosen:
            episode = stage.run(goal, followed)
            results.append(_keep(episode, goal, embodiment.action.block_s, view, output))
            times += episode.record.decision_ms
            print(_line(episode, goal, goals), flush=True)
    for line in stage.timing():
        print(line)
    return _report(results, times, time.monotonic() - began, output)


def _report(results: list[Result], decision_ms: list[float], seconds: float, output: Path) -> int:
    """Draw the contact sheet and say how the goals ended; return the exit status, and say why it is not 0."""
    goals, reached = len(results), sum(result.reached for result in results)
    print(
        f"demo: {reached} of {goals} goals reached, median decision {statistics.median(decision_ms):.0f} ms, "
        f"{seconds:.0f} s in all"
    )
    sheet = output / "contact-sheet.png"
    draw_contact_sheet(results, sheet)
    print(f"demo: films in {output}/goal-*.mp4, contact sheet in {sheet}")
    if reached < ENOUGH * goals:
        print(f"demo: fewer than {ENOUGH:.0%} of the goals were reached; the films show how the others ended")
        return 1
    return 0


def _line(episode: RealEpisode, goal: Goal, goals: int) -> str:
    record = episode.record
    late = f", {record.late} late" if record.late else ""
    said = "the agent says done" if record.declared else "the agent does not say done"
    return (
        f"goal {goal.number + 1:2d}/{goals}, {goal.task}: {100 * record.start_distance_m:5.1f} cm -> "
        f"{100 * record.final_distance_m:4.1f} cm  {'reached    ' if _reached(episode, goal) else 'not reached'}  "
        f"{record.decisions:2d} decisions, median {statistics.median(record.decision_ms):.0f} ms{late}; {said}"
        + (f"; ended by the driver: {episode.fault}" if episode.fault else "")
    )


def _reached(episode: RealEpisode, goal: Goal) -> bool:
    """Whether the world ended within tolerance of the goal."""
    return episode.record.final_distance_m <= goal.tolerance


def _keep(episode: RealEpisode, goal: Goal, block_s: float, view: LargeView, output: Path) -> Result:
    """Write the film of one goal and return what the contact sheet shows of it."""
    outcome, record = episode.outcome, episode.record
    name = f"goal-{goal.number + 1:02d}"
    save_picture(output / f"{name}.png", goal.picture)
    fps = Fraction(1 / block_s).limit_denominator(1000)
    layout = Layout(view.width, goal.picture.shape)
    with Film(output / f"{name}.mp4", fps, layout, goal.tolerance, goal.budget) as film:
        for decision in episode.decisions:
            step = decision.step
            film.add(_shot(view, layout, decision.scene, step), decision.distance_m, _caption(step))
        words = "the agent says done" if outcome.reached else f"the {goal.budget} blocks are over"
        if episode.fault:
            words = "ended by the driver: the arm is in a fault"
        end = replace(_shot(view, layout, episode.final, episode.decisions[-1].step), seen=outcome.last)
        film.repeat_last(end, words, LAST_FRAMES)
    return Result(
        goal.number,
        goal.task,
        outcome.first,
        goal.picture,
        outcome.last,
        record.start_distance_m,
        record.final_distance_m,
        _reached(episode, goal),
    )


def _caption(step: Step) -> str:
    decision = step.decision
    words = f"{decision.distance:.1f} blocks to go, decided in {1e3 * decision.seconds:.0f} ms"
    ahead = decision.remaining_subgoals
    if not ahead:
        return words
    wanted = dict.fromkeys(mark.name for mark in step.entities if mark.wanted)
    now = f", now {', '.join(wanted)}" if len(wanted) < len({mark.name for mark in step.entities}) else ""
    return f"{words}; {ahead} sub-goal{'s' if ahead > 1 else ''} ahead{now}"


def _shot(view: LargeView, layout: Layout, scene: SceneState, step: Step) -> Shot:
    """Return a frame's pictures, with marks of the things that the agent sees: in the large one where they are, in the
    others where they are wanted and imagined."""
    large = draw_now(view.picture(scene), in_view(step.entities, 0), view.scale)
    wide = layout.panel[0]
    times = wide / step.goal.shape[1]
    goal = draw_goal(enlarge(step.goal, wide), step.entities, times)
    imagined = None if step.imagined is None else draw_imagined(enlarge(step.imagined, wide), step.entities, times)
    return Shot(large, goal, step.frame.image, imagined)
