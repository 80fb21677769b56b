"""`worldarm demo`: ten held-out goals in real time through the real processes, filmed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import tyro
from tqdm import tqdm

from control.model.trained_model import load_trained
from control.policies import make_agent
from robot.errors import ConfigurationError
from robot.system.files import make_folder
from robot.system.seeds import require_seed
from sim.evaluation.contact_sheet import Result, draw_contact_sheet
from sim.evaluation.demo_goals import DemoTask, demo_goals, subgoals_of, task_of_model
from sim.evaluation.evaluate import own_subgoals
from sim.evaluation.goal_film import GoalFilm, GoalFilmer, film_of
from sim.evaluation.real_time import RealEpisode, RealTime
from sim.execution.background import Background
from sim.tasks.environments import pretrained_for
from sim.tasks.task import Goal, Subgoals

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
    films: Background[GoalFilm, None] = Background(GoalFilmer(embodiment.camera, embodiment.action.block_s))
    with stage, films:
        print(f"demo: driver at {stage.addresses.command}, camera at {stage.addresses.frames}", flush=True)
        results, times = _pursue(stage, films, chosen, followed, output)
        for _ in tqdm(films.results(), "films", total=goals, unit="film"):
            pass
    for line in stage.timing():
        print(line)
    return _report(results, times, time.monotonic() - began, output)


def _pursue(
    stage: RealTime, films: Background[GoalFilm, None], goals: Sequence[Goal], subgoals: Subgoals, output: Path
) -> tuple[list[Result], list[float]]:
    """Pursue one goal after another, while `films` of the earlier ones are made; return how they ended, and how many
    milliseconds each decision took."""
    results: list[Result] = []
    times: list[float] = []
    for goal in goals:
        episode = stage.run(goal, subgoals)
        films.submit(film_of(episode, goal, output / f"goal-{goal.number + 1:02d}"))
        results.append(_result(episode, goal))
        times += episode.record.decision_ms
        print(_line(episode, goal, len(goals)), flush=True)
    return results, times


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


def _result(episode: RealEpisode, goal: Goal) -> Result:
    """Return what the contact sheet shows of a goal."""
    outcome, record = episode.outcome, episode.record
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
