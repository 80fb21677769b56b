"""`worldarm benchmark`: success rates of the full method and of baselines on held-out goals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from control.agent import Agent
from control.decision_config import DecisionConfig, with_changes
from control.decision_options import DecisionOptions, explicit_settings
from control.model.trained_model import TrainedModel, load_trained
from control.policies import Method, make_agent
from robot.errors import ConfigurationError
from robot.system.figures import require_picture
from robot.system.files import require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.episode import EpisodeRecord
from sim.evaluation.evaluate import Measurement, collect, measure_agent, own_subgoals
from sim.evaluation.real_time import RealTime
from sim.evaluation.summary import Summary, draw_summaries, summarise, table
from sim.tasks.environments import environment_of, pretrained_for
from sim.tasks.goals import make_goals, require_goals
from sim.tasks.task import DRAWN_LEVELS, TASKS, Level, Subgoals, Task, Things
from sim.world.cameras import camera_named
from sim.world.panda import panda_spec

_PLAIN = ("clean", "none", None)
"""Level, sub-goals and number of objects where none is given."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """The options of `worldarm benchmark`."""

    task: Annotated[tyro.conf.Positional[Task | None], tyro.conf.arg(help="what to measure")] = None
    env: Annotated[
        str | None,
        tyro.conf.arg(help="measure instead in this Gymnasium environment, in which the checkpoint was trained"),
    ] = None
    episodes: Annotated[int, tyro.conf.arg(help="held-out goals")] = 100
    seed: Annotated[int, tyro.conf.arg(help="seed of the goals")] = 0
    level: Annotated[
        Level,
        tyro.conf.arg(
            help="clean: as in the data; no-arm: no arm in the goal picture; shifted: another camera pose; lit: other "
            "light; cluttered: with objects that are not in the data; object-only: one object's place counts, and the "
            "picture shows the arm and all other objects somewhere else"
        ),
    ] = "clean"
    things: Annotated[
        Things | None,
        tyro.conf.arg(
            help="number of graspable objects on the table; five include two that are not in the data; None: one to "
            "three"
        ),
    ] = None
    subgoals: Annotated[
        Subgoals,
        tyro.conf.arg(
            help="none: only the goal picture; given: also pictures of earlier states, if the task has them; auto: the "
            "agent finds its own sub-goals; things: the agent puts one thing after another in its place (models with "
            "entities)"
        ),
    ] = "none"
    method: Annotated[tuple[Method, ...], tyro.conf.arg(help="one or more methods, all on the same goals")] = ("full",)
    checkpoint: Annotated[
        Path | None,
        tyro.conf.arg(
            help="folder of the model, or the name of one that comes with worldarm; None: the one for the task"
        ),
    ] = None
    processes: Annotated[
        bool, tyro.conf.arg(help="run in real time with the real driver, camera and sockets, not in lock-step")
    ] = False
    workers: Annotated[
        int, tyro.conf.arg(help="number of processes that share the goals; with too few cores decisions take longer")
    ] = 1
    ray: Annotated[
        str | None, tyro.conf.arg(help="distribute the goals over a Ray cluster: HOST:PORT, or local to start one here")
    ] = None
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None
    plot: Annotated[Path, tyro.conf.arg(help="write the plot to this file")] = Path("out/benchmark.png")


def benchmark(
    options: Annotated[BenchmarkOptions, tyro.conf.arg(name="")] = BenchmarkOptions(),
    decision: Annotated[
        DecisionOptions, tyro.conf.arg(help="how the agent plans, and when a goal counts as reached")
    ] = DecisionOptions(),
) -> None:
    """Measure the success rate on goals that are in no training data, and the time that deciding takes.

    All methods get the same goal pictures and starts. Two rates are measured. Within the budget: the tool (reach, 2 cm)
    or every object (grasp-lift 5 cm, all others 3 cm) is within tolerance at the end of any block of the budget. When
    the agent says done: it is within tolerance when the agent reports the goal as reached. Rates have a 95 % Wilson
    interval. The same seed gives the same numbers on machines of the same kind, except for times. --json holds one
    object for one method, and a list for several. `worldarm benchmark planner` measures only the time of decisions.
    """
    _check(options)
    # One thread is fastest where driver and camera share the cores, and independent of the number of cores.
    torch.set_num_threads(1)
    checkpoint = options.checkpoint
    if checkpoint is None:
        assert options.task is not None, "checked"
        checkpoint = pretrained_for(options.task)
    trained = load_trained(checkpoint)
    changes = explicit_settings(decision)
    config = with_changes(trained.decision_config, changes)
    for path in (options.json, options.plot):
        if path is not None:
            require_writable(path)
    if options.env is not None:
        summaries = [_in_env(options, options.env, trained, config, name) for name in options.method]
    else:
        assert options.task is not None, "checked"
        environment = environment_of(trained.card.embodiment)  # raises for a model of no environment
        require_goals(environment, options.task, options.level, options.things)
        known = trained.card.embodiment.camera
        trained.card.require(panda_spec().name, camera_named(known.name, known.width, known.height))
        what = Measurement(options.task, options.level, options.subgoals, options.seed, options.things)
        summaries = []
        for name in options.method:
            if options.processes:
                agent = make_agent(trained, name, what.seed, config, own_subgoals(what.subgoals))
                records = _through_processes(agent, what, options.episodes)
            else:
                numbers = range(options.episodes)
                runs = measure_agent(checkpoint, name, what, numbers, options.workers, options.ray, changes)
                records = collect(runs, options.episodes, what, name)
            summaries.append(summarise(what, name, options.processes, trained.card.weights_sha256, records))
    print(f"{table(summaries)}\n")
    # The numbers are written first, because the plot can be drawn from them again.
    if options.json is not None:
        write_json(options.json, summaries[0] if len(summaries) == 1 else summaries)
        print(f"numbers: {options.json}")
    draw_summaries(summaries, options.plot)
    print(f"plot: {options.plot}")


def _check(options: BenchmarkOptions) -> None:
    """Raise `ConfigurationError` for options that are invalid or exclude each other."""
    task, env, level, episodes, workers = options.task, options.env, options.level, options.episodes, options.workers
    shared_out = workers > 1 or options.ray is not None
    if (task is None) == (env is None):
        raise ConfigurationError(
            f"name what to measure: either a task ({', '.join(TASKS)}) or, with --env, an environment"
        )
    if env is not None and (options.processes or shared_out or (level, options.subgoals, options.things) != _PLAIN):
        raise ConfigurationError("--env excludes --processes, --workers, --ray, --level, --subgoals and --things")
    if env is not None and options.checkpoint is None:
        raise ConfigurationError(
            f"--env {env} needs --checkpoint: no checkpoint that comes with worldarm was trained there"
        )
    if episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, not {episodes}")
    if workers < 1:
        raise ConfigurationError(f"--workers must be at least 1, not {workers}")
    if options.processes and shared_out:
        raise ConfigurationError(
            "a run in real time cannot be distributed: give --processes without --workers and --ray"
        )
    if options.processes and level in DRAWN_LEVELS:
        raise ConfigurationError(
            f"the simulated camera's process has a fixed appearance; measure {level} without --processes"
        )
    require_seed(options.seed)
    require_picture(options.plot, "--plot")


def _in_env(
    options: BenchmarkOptions, env: str, trained: TrainedModel, config: DecisionConfig, method: Method
) -> Summary:
    """Run the episodes in the Gymnasium environment `env`."""
    # Imported here, because Gymnasium is an optional dependency.
    from sim.gym.adapter import AnyEnv
    from sim.gym.goals import EnvMeasurement, measure_env

    what = EnvMeasurement(env, options.seed)
    world = AnyEnv.of(trained.card.embodiment)
    try:
        if world.name != env:
            raise ConfigurationError(f"this checkpoint was trained in {world.name!r}, not in {env!r}")
        spread = trained.parts.model.normaliser.spread.double().numpy()
        agent = make_agent(trained, method, options.seed, config)
        runs = measure_env(world, agent, spread, options.seed, range(options.episodes))
        records = collect(runs, options.episodes, what, method)
    finally:
        world.close()
    return summarise(what, method, False, trained.card.weights_sha256, records, "spread")


def _through_processes(agent: Agent, what: Measurement, episodes: int) -> list[EpisodeRecord]:
    """Run the episodes in real time with the real processes. The goals are made beforehand."""
    embodiment = agent.embodiment
    environment = environment_of(embodiment)
    world = environment.world(embodiment.camera, what.level, what.things)
    try:
        goals = make_goals(world, environment, what.task, what.seed, episodes, what.level, what.things)
    finally:
        world.close()
    stage = RealTime(agent)
    with stage:
        runs = (stage.measure(goal, what.subgoals) for goal in goals)
        records = collect(runs, episodes, what, f"{agent.name}, real time")
    for line in stage.timing():
        print(line)
    return records
