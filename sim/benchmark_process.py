"""`worldarm benchmark`: success rates on held-out goals, of the method and of the baselines beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from tqdm import tqdm

from control.agent import Agent, Method
from control.seed import require_seed
from control.trained import PRETRAINED, load_trained
from perception.figures import require_picture
from robot.errors import ConfigurationError
from robot.output import require_writable, write_json
from sim.episode import EpisodeRecord, run_episode
from sim.goal import DRAWN_LEVELS, Level, Subgoals, Task
from sim.panda import panda_spec
from sim.playground import playground_of
from sim.real_time import RealTime
from sim.summary import draw_summaries, summarise, table
from sim.tasks import make_goal, make_goals


def benchmark(
    task: Annotated[tyro.conf.Positional[Task], tyro.conf.arg(help="what to measure")],
    episodes: Annotated[int, tyro.conf.arg(help="held-out goals")] = 100,
    seed: Annotated[int, tyro.conf.arg(help="another seed, other goals")] = 0,
    level: Annotated[
        Level,
        tyro.conf.arg(
            help="clean: as the data looks; no-arm: the goal shows no arm; shifted: the camera stands elsewhere; lit: "
            "another lamp; cluttered: among things that no data shows"
        ),
    ] = "clean",
    subgoals: Annotated[
        Subgoals,
        tyro.conf.arg(
            help="none: the goal's picture alone; given: also the pictures of what comes before it, where the task has "
            "them; auto: the agent finds its own"
        ),
    ] = "none",
    method: Annotated[tuple[Method, ...], tyro.conf.arg(help="one method or several, each on the same goals")] = (
        "full",
    ),
    checkpoint: Annotated[Path, tyro.conf.arg(help="the model to measure")] = PRETRAINED,
    processes: Annotated[
        bool, tyro.conf.arg(help="through the real driver, camera and sockets, in real time, instead of lock-step")
    ] = False,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
    plot: Annotated[Path, tyro.conf.arg(help="where the picture goes")] = Path("out/benchmark.png"),
) -> None:
    """Measure how often goals that no training has seen are reached, and what deciding costs.

    Every method gets the same goal pictures and starts. A goal counts as reached within its budget of blocks when the
    tool (reach, 2 cm) or every object (grasp-lift 5 cm, all others 3 cm) comes within tolerance at some block's end;
    and, apart from that, when it is within tolerance at the moment the agent itself says done. Shares carry a 95 %
    Wilson interval. The same seed gives the same numbers on machines of a kind, times aside. With one method --json
    holds one object, with several a list of them. `worldarm benchmark planner` times decisions alone.
    """
    if episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, not {episodes}")
    if processes and level in DRAWN_LEVELS:
        raise ConfigurationError(f"the simulated camera's process always looks the same; measure {level} in lock-step")
    require_seed(seed)
    require_picture(plot, "--plot")
    # One thread decides soonest where driver and camera share the cores, and does not depend on how many there are.
    torch.set_num_threads(1)
    trained = load_trained(checkpoint)
    for path in (json, plot):
        if path is not None:
            require_writable(path)
    playground = playground_of(trained.card.recipe)
    known = trained.card.recipe.camera
    trained.card.require(panda_spec().name, playground.camera(known.width, known.height))
    summaries = []
    for name in method:
        agent = Agent(trained, name, seed, subgoals="auto" if subgoals == "auto" else "none")
        measure = _through_processes if processes else _lockstep
        records = measure(task, level, subgoals, agent, episodes, seed)
        summaries.append(summarise(task, level, subgoals, name, seed, processes, trained.card.weights_sha256, records))
    print(f"{table(summaries)}\n")
    # The numbers first: the picture can be drawn from them again.
    if json is not None:
        write_json(json, summaries[0] if len(summaries) == 1 else summaries)
        print(f"numbers: {json}")
    draw_summaries(summaries, plot)
    print(f"plot: {plot}")


def _lockstep(
    task: Task, level: Level, subgoals: Subgoals, agent: Agent, episodes: int, seed: int
) -> list[EpisodeRecord]:
    """Run the episodes in one process on simulated time."""
    recipe = agent.trained.card.recipe
    playground = playground_of(recipe)
    world = playground.world(recipe.camera, level)
    records: list[EpisodeRecord] = []
    try:
        _warm_up(agent)
        bar = tqdm(range(episodes), desc=f"{task}, {level}, {agent.method}", unit="goal")
        for number in bar:
            goal = make_goal(world, playground, task, seed, number, level=level)
            records.append(run_episode(world, recipe.action, agent, goal, subgoals))
            reached = sum(record.success for record in records)
            bar.set_postfix_str(f"{reached}/{len(records)} reached")
    finally:
        world.close()
    return records


def _through_processes(
    task: Task, level: Level, subgoals: Subgoals, agent: Agent, episodes: int, seed: int
) -> list[EpisodeRecord]:
    """Run the episodes in real time through the real processes; the goals are made beforehand."""
    recipe = agent.trained.card.recipe
    playground = playground_of(recipe)
    world = playground.world(recipe.camera, level)
    try:
        goals = make_goals(world, playground, task, seed, episodes, level)
    finally:
        world.close()
    records: list[EpisodeRecord] = []
    stage = RealTime(agent)
    with stage:
        bar = tqdm(goals, desc=f"{task}, {level}, {agent.method}, real time", unit="goal")
        for goal in bar:
            records.append(stage.run(goal, subgoals).record)
            bar.set_postfix_str(f"{sum(record.success for record in records)}/{len(records)} reached")
    for line in stage.timing():
        print(line)
    return records


def _warm_up(agent: Agent) -> None:
    """Decide a few times on nothing: the first calls compile and allocate, which is not what is measured."""
    card = agent.trained.card
    blank = np.zeros((card.world_model.height, card.world_model.width_px, 3), dtype=np.uint8)
    agent.set_goal(blank)
    for _ in range(3):
        agent.decide(blank, np.zeros(card.world_model.proprio), np.zeros(card.world_model.action))
