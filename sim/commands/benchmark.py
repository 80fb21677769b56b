"""`worldarm benchmark`: success rates on held-out goals, of the method and of the baselines beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro

from control.agent import Agent
from control.model.trained_model import TrainedModel, load_trained
from control.policies import Method, make_agent
from robot.errors import ConfigurationError
from robot.system.figures import require_picture
from robot.system.files import require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.episode import EpisodeRecord
from sim.evaluation.evaluate import Measurement, collect, measure_agent
from sim.evaluation.real_time import RealTime
from sim.evaluation.summary import Summary, draw_summaries, summarise, table
from sim.tasks.environments import environment_of, pretrained_for
from sim.tasks.goals import make_goals
from sim.tasks.task import DRAWN_LEVELS, TASKS, Level, Subgoals, Task
from sim.world.cameras import camera_named
from sim.world.panda import panda_spec


def benchmark(
    task: Annotated[tyro.conf.Positional[Task | None], tyro.conf.arg(help="what to measure")] = None,
    env: Annotated[
        str | None, tyro.conf.arg(help="measure in this Gymnasium environment instead, that the checkpoint is of")
    ] = None,
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
    checkpoint: Annotated[
        Path | None,
        tyro.conf.arg(
            help="folder of the model, or the name of one that comes with worldarm; None: the one for the task"
        ),
    ] = None,
    processes: Annotated[
        bool, tyro.conf.arg(help="through the real driver, camera and sockets, in real time, instead of lock-step")
    ] = False,
    workers: Annotated[
        int, tyro.conf.arg(help="processes that share the goals out; decisions take longer where cores are short")
    ] = 1,
    ray: Annotated[
        str | None, tyro.conf.arg(help="share the goals out on a Ray cluster: HOST:PORT, or local to start one here")
    ] = None,
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
    if (task is None) == (env is None):
        raise ConfigurationError(f"say what to measure: a task ({', '.join(TASKS)}), or --env and an environment")
    if env is not None and (processes or workers > 1 or ray is not None or (level, subgoals) != ("clean", "none")):
        raise ConfigurationError("--env goes without --processes, --workers, --ray, --level and --subgoals")
    if env is not None and checkpoint is None:
        raise ConfigurationError(f"--env {env} needs --checkpoint: none that comes with worldarm learnt there")
    if episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, not {episodes}")
    if workers < 1:
        raise ConfigurationError(f"--workers must be at least 1, not {workers}")
    if processes and (workers > 1 or ray is not None):
        raise ConfigurationError("real time cannot be shared out: give --processes without --workers and --ray")
    if processes and level in DRAWN_LEVELS:
        raise ConfigurationError(f"the simulated camera's process always looks the same; measure {level} in lock-step")
    require_seed(seed)
    require_picture(plot, "--plot")
    # One thread decides soonest where driver and camera share the cores, and does not depend on how many there are.
    torch.set_num_threads(1)
    if checkpoint is None:
        assert task is not None, "either is given"
        checkpoint = pretrained_for(task)
    trained = load_trained(checkpoint)
    for path in (json, plot):
        if path is not None:
            require_writable(path)
    digest = trained.card.weights_sha256
    summaries = []
    if env is not None:
        for name in method:
            summaries.append(_in_env(env, trained, name, episodes, seed))
    else:
        assert task is not None, "either is given"
        environment_of(trained.card.embodiment)  # raises for a model of no environment
        known = trained.card.embodiment.camera
        trained.card.require(panda_spec().name, camera_named(known.name, known.width, known.height))
        what = Measurement(task, level, subgoals, seed)
        for name in method:
            if processes:
                agent = make_agent(trained, name, seed, subgoals="auto" if subgoals == "auto" else "none")
                records = _through_processes(agent, what, episodes)
            else:
                runs = measure_agent(checkpoint, name, what, range(episodes), workers, ray)
                records = collect(runs, episodes, what, name)
            summaries.append(summarise(what, name, processes, digest, records))
    print(f"{table(summaries)}\n")
    # The numbers first: the picture can be drawn from them again.
    if json is not None:
        write_json(json, summaries[0] if len(summaries) == 1 else summaries)
        print(f"numbers: {json}")
    draw_summaries(summaries, plot)
    print(f"plot: {plot}")


def _in_env(name: str, trained: TrainedModel, method: Method, episodes: int, seed: int) -> Summary:
    """Run the episodes in a Gymnasium environment."""
    # Here, since Gymnasium is an extra.
    from sim.gym.adapter import AnyEnv
    from sim.gym.goals import EnvMeasurement, measure_env

    what = EnvMeasurement(name, seed)
    world = AnyEnv.of(trained.card.embodiment)
    try:
        if world.name != name:
            raise ConfigurationError(f"this checkpoint learnt in {world.name!r}, not in {name!r}")
        spread = trained.parts.model.normaliser.spread.double().numpy()
        runs = measure_env(world, make_agent(trained, method, seed), spread, seed, range(episodes))
        records = collect(runs, episodes, what, method)
    finally:
        world.close()
    return summarise(what, method, False, trained.card.weights_sha256, records, "spread")


def _through_processes(agent: Agent, what: Measurement, episodes: int) -> list[EpisodeRecord]:
    """Run the episodes in real time through the real processes; the goals are made beforehand."""
    embodiment = agent.embodiment
    environment = environment_of(embodiment)
    world = environment.world(embodiment.camera, what.level)
    try:
        goals = make_goals(world, environment, what.task, what.seed, episodes, what.level)
    finally:
        world.close()
    stage = RealTime(agent)
    with stage:
        runs = (stage.run(goal, what.subgoals).record for goal in goals)
        records = collect(runs, episodes, what, f"{agent.name}, real time")
    for line in stage.timing():
        print(line)
    return records
