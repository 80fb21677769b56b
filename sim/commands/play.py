"""`worldarm play`: fills a data set with exploratory play, in several processes, and resumes after an interruption."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

from robot.dataset.format.encoding import EncodedEpisode, encode_episode
from robot.dataset.format.schema import Feature
from robot.dataset.writer import DatasetWriter
from robot.embodiment.description import EmbodimentDescription, entry_difference
from robot.errors import CheckpointError, ConfigurationError, DatasetError
from sim.execution.interrupts import deferred_interrupts
from sim.execution.map_work import map_items
from sim.play.batches import Batch, batches, generators, play_batch
from sim.play.episode import play_features
from sim.tasks.environments import ENVIRONMENTS, EnvironmentName


@dataclass(frozen=True)
class PlayOptions:
    """The options of `worldarm play`."""

    dataset: Annotated[Path, tyro.conf.arg(help="folder of the data set; created, or continued if it exists")] = Path(
        "data/play"
    )
    task: Annotated[
        EnvironmentName,
        tyro.conf.arg(help="push: push a cube in a plane; tabletop: grasp objects of three shapes"),
    ] = "push"
    env: Annotated[
        str | None, tyro.conf.arg(help="play in this Gymnasium environment instead, by its registered name")
    ] = None
    policy: Annotated[
        str | None,
        tyro.conf.arg(help="with --env: MODULE:FUNCTION, (observation, rng) -> action; None for random actions"),
    ] = None
    repeat: Annotated[int, tyro.conf.arg(help="with --env: the number of steps for which each action is repeated")] = 4
    episodes: Annotated[
        int | None, tyro.conf.arg(help="number of episodes of the finished data set; None: the task's default")
    ] = None
    blocks: Annotated[int | None, tyro.conf.arg(help="number of blocks in an episode; None: the task's default")] = None
    processes: Annotated[int, tyro.conf.arg(help="number of processes that play; 0: one for each core")] = 0
    ray: Annotated[
        str | None, tyro.conf.arg(help="play on a Ray cluster instead: HOST:PORT, or local to start one here")
    ] = None
    seed: Annotated[int, tyro.conf.arg(help="the same seed gives the same data")] = 0
    size: Annotated[int, tyro.conf.arg(help="side of the square pictures in pixels")] = 64
    camera: Annotated[
        str | None,
        tyro.conf.arg(help="simulated camera, or rig of several; None: the task's default"),
    ] = None
    practice: Annotated[
        Path | None,
        tyro.conf.arg(
            help="let the agent of this checkpoint, a folder or the name of one that comes with worldarm, take turns "
            "with the scripted policy"
        ),
    ] = None
    images: Annotated[Literal["png", "av1"], tyro.conf.arg(help="lossless pictures, or video")] = "png"

    @property
    def total(self) -> int:
        """The number of episodes of the finished data set."""
        return ENVIRONMENTS[self.task].episodes if self.episodes is None else self.episodes

    @property
    def length(self) -> int:
        """The number of blocks in an episode."""
        return ENVIRONMENTS[self.task].blocks if self.blocks is None else self.blocks

    @property
    def workers(self) -> int:
        """The number of processes that play."""
        return self.processes or os.cpu_count() or 1


@dataclass(frozen=True)
class _Source:
    """A source of episodes: their embodiment, their task in words (`sentence`), their features, and `make`, which plays
    a batch."""

    embodiment: EmbodimentDescription
    sentence: str
    features: dict[str, Feature]
    make: Callable[[Batch], list[EncodedEpisode]]


def play(options: Annotated[PlayOptions, tyro.conf.arg(name="")] = PlayOptions()) -> None:
    """Let a scripted policy play in the simulation, and record what it sees and does.

    With the task push it pushes a cube to random places from random sides, with varying skill, and moves about; with
    tabletop it picks, carries, places, stacks, drops and pushes one to three objects, and sometimes misses. All actions
    carry noise. With --env random actions, or those of your own policy, are taken in a Gymnasium environment that
    renders pictures and takes bounded numbers. The data set has the LeRobotDataset v3.0 format; `worldarm train` learns
    from it.
    With --practice the added episodes contain the agent's own mistakes, and how the scripted policy continues after
    them. A model trained only on play needs these most.
    After an interruption at any time, the same command resumes.
    """
    _require_valid(options)
    episodes, blocks = options.total, options.length
    source = _simulation(options) if options.env is None else _environment(options, options.env)
    fps = round(1 / source.embodiment.action.block_s)
    how = {"seed": options.seed, "blocks": blocks} | ({} if options.policy is None else {"policy": options.policy})
    with _open(options.dataset, fps, source.features, source.embodiment, how) as writer:
        done = writer.info.total_episodes
        if done >= episodes:
            print(f"{options.dataset} already holds {done} episodes of play; nothing to do")
            return
        work = batches(done, episodes)
        began = time.monotonic()
        with tqdm(total=episodes * blocks, initial=done * blocks, desc="play", unit="block") as bar:
            played = _flatten(map_items(source.make, work, options.workers, options.ray))
            for index, episode in enumerate(played, start=done):
                with deferred_interrupts():  # or the totals would lag behind the episodes
                    writer.save_encoded(episode, source.sentence, {"seed": options.seed, "play_index": index})
                bar.update(blocks)
        rate = (episodes - done) * blocks / (time.monotonic() - began)
    where = f"in {options.workers} process(es), {rate / options.workers:.0f} a process"
    where = f"on Ray at {options.ray}" if options.ray else where
    print(f"{options.dataset}: {episodes} episodes of {blocks} blocks; {rate:.0f} blocks/s {where}")


def _require_valid(options: PlayOptions) -> None:
    """Raise `ConfigurationError` for options that exclude each other or are out of range."""
    if options.env is None and options.policy is not None:
        raise ConfigurationError("--policy needs a Gymnasium environment: name one with --env")
    if options.env is not None and options.camera is not None:
        raise ConfigurationError("--camera is for the simulation's own tasks; an environment renders its own pictures")
    if options.env is not None and options.practice is not None:
        raise ConfigurationError(
            "--practice needs the scripted policy, which plays only the simulation's own tasks: leave out --env"
        )
    if options.repeat < 1:
        raise ConfigurationError(f"--repeat must be at least 1, not {options.repeat}")
    if options.total < 1 or options.length < 2:
        raise ConfigurationError("play needs at least one episode of two blocks")
    if options.processes < 0 or options.seed < 0:
        raise ConfigurationError("--processes and --seed are 0 or more")
    if options.size < 16 or options.size % 16:
        raise ConfigurationError(f"--size must be a multiple of 16, not {options.size}")


def _simulation(options: PlayOptions) -> _Source:
    """Return the source of episodes of the simulation's own task."""
    environment = ENVIRONMENTS[options.task]
    embodiment, sentence = environment.embodiment(options.size, options.camera), environment.sentence
    if options.practice is not None:
        sentence = _practised(options.practice, embodiment)
    features = play_features(environment, embodiment.camera, options.images == "av1")
    make = partial(
        play_batch,
        task=options.task,
        seed=options.seed,
        blocks=options.length,
        camera=embodiment.camera,
        features=features,
        checkpoint=options.practice,
    )
    return _Source(embodiment, sentence, features, make)


def _environment(options: PlayOptions, env: str) -> _Source:
    """Return the source of episodes in the Gymnasium environment `env`."""
    # Imported here, because Gymnasium is an optional dependency.
    from sim.gym.play import env_features

    embodiment = _env_embodiment(env, options.size, options.repeat, options.policy)
    features = env_features(embodiment, options.images == "av1")
    make = partial(
        _env_batch,
        embodiment=embodiment,
        policy=options.policy,
        seed=options.seed,
        blocks=options.length,
        features=features,
    )
    return _Source(embodiment, f"play: {env}", features, make)


def _open(
    root: Path, fps: int, features: dict[str, Feature], embodiment: EmbodimentDescription, how: dict[str, int | str]
) -> DatasetWriter:
    """Return a writer for a new data set, or for one that the same command began. It stores the settings `how`."""
    metadata = json.loads(json.dumps({**embodiment.to_metadata(), "play": how}))
    if not (root / "meta" / "info.json").exists():
        # A killed play loses at most the batch in flight, which is played again: no need to wait for the disk.
        return DatasetWriter.create(root, fps, features, embodiment.arm, metadata, durable=False)
    writer = DatasetWriter.open(root, fps, features, durable=False)
    for key in {**writer.info.metadata, **metadata}:
        setting = entry_difference(writer.info.metadata, metadata, key)
        if setting is not None:
            writer.close()
            raise DatasetError(
                f"{root} was made with other settings: {setting.place} is {setting.one} there and {setting.other} "
                "here; give the same ones to continue it, or choose another folder"
            )
    return writer


def _practised(checkpoint: Path, embodiment: EmbodimentDescription) -> str:
    """Return the task of practice with a checkpoint, in words. Raises `CheckpointError` when the model's embodiment is
    not `embodiment`."""
    from control.model.trained_model import (
        load_trained,  # imports torch, which takes seconds and which no other play needs
    )

    card = load_trained(checkpoint).card
    card.require(embodiment.arm, embodiment.camera)
    if card.embodiment != embodiment:
        raise CheckpointError(
            f"the model in {checkpoint} was trained with the actions of another --task; choose that task"
        )
    return f"practice: the agent {card.weights_sha256[:12]} goes for pictures, and the hand goes on from there"


def _env_embodiment(name: str, size: int, repeat: int, policy: str | None) -> EmbodimentDescription:
    """Return the embodiment of play in an environment. Raises `ConfigurationError` when the environment or the policy
    cannot be loaded."""
    from sim.gym.adapter import AnyEnv, load_policy

    if policy is not None:
        load_policy(policy)
    env = AnyEnv(name, size, repeat)
    env.close()
    return env.embodiment


def _env_batch(
    batch: Batch,
    embodiment: EmbodimentDescription,
    policy: str | None,
    seed: int,
    blocks: int,
    features: dict[str, Feature],
) -> list[EncodedEpisode]:
    """Play and encode some episodes in an environment, as `play_batch` does."""
    from sim.gym.adapter import AnyEnv, load_policy
    from sim.gym.play import env_episode

    env = AnyEnv.of(embodiment)
    chosen = None if policy is None else load_policy(policy)
    fps = round(1 / embodiment.action.block_s)
    with closing(env):
        return [encode_episode(features, fps, env_episode(env, chosen, rng, blocks)) for rng in generators(batch, seed)]


def _flatten(batches: Iterator[list[EncodedEpisode]]) -> Iterator[EncodedEpisode]:
    for batch in batches:
        yield from batch
