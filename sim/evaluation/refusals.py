"""How many pictures of each kind an agent refuses as goals, because they look like nothing that its model knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec
import torch
from tqdm import tqdm

from control.agent import Agent
from perception.checkpoint.card import PictureErrors
from robot.wire.camera_spec import CameraSpec
from sim.evaluation.goal_pictures import KINDS, Kind, Pictures, Portion, Wanted, goal_pictures, other_pictures, portions
from sim.evaluation.wilson import wilson
from sim.execution.map_work import map_items
from sim.tasks.environments import ENVIRONMENTS, Environment, EnvironmentName


class Refused(msgspec.Struct, frozen=True):
    """One kind of `pictures`: how many were `refused`, their share with its 95 % Wilson interval, and what is
    `wanted`."""

    kind: str
    wanted: Wanted
    pictures: int
    refused: int
    share: float
    ci95: tuple[float, float]


class Refusals(msgspec.Struct, frozen=True):
    """What one model refused. `limits` are those of its errors: difference and dissimilarity."""

    environment: EnvironmentName
    checkpoint_sha256: str
    seed: int
    limits: tuple[float, float]
    kinds: tuple[Refused, ...]


def measure_refusals(
    agent: Agent, known: PictureErrors, environment: Environment, seed: int, goals: int, workers: int
) -> Refusals:
    """Return what `agent`, whose model knows pictures up to `known`, refuses of `goals` pictures of each kind and task;
    `workers` processes make the pictures. Shows the progress."""
    camera = agent.trained.card.embodiment.camera
    parts = portions(environment, seed, goals)
    counts = {kind: [0, 0] for kind in KINDS}
    total = sum(len(part.numbers) for part in parts)
    with tqdm(total=total, desc=f"pictures of {environment.name}", unit="goal", mininterval=0.5) as bar:
        for some, made in _made(parts, environment, camera, seed, goals, workers):
            for kind, pictures in some:
                counts[kind][0] += len(pictures)
                counts[kind][1] += sum(bool(agent.unknown(picture)) for picture in pictures)
            bar.update(made)
    return Refusals(
        environment.name,
        agent.trained.card.weights_sha256,
        seed,
        (known.difference.limit, known.dissimilarity.limit),
        tuple(
            Refused(kind.name, kind.wanted, count, refused, refused / count, wilson(refused, count))
            for kind, (count, refused) in counts.items()
            if count
        ),
    )


def _made(
    parts: Sequence[Portion], environment: Environment, camera: CameraSpec, seed: int, goals: int, workers: int
) -> Iterator[tuple[Iterable[tuple[Kind, Pictures]], int]]:
    """Yield pictures by their kind, and for how many goals they are."""
    yield other_pictures(environment, camera, seed, goals), 0
    make = partial(_goals, environment=environment.name, camera=camera)
    for part, made in zip(parts, map_items(make, parts, workers, None), strict=True):
        yield made, len(part.numbers)


def _goals(part: Portion, environment: EnvironmentName, camera: CameraSpec) -> list[tuple[Kind, Pictures]]:
    """Make the goals of `part`; runs in a worker process."""
    torch.set_num_threads(1)
    return goal_pictures(part, ENVIRONMENTS[environment], camera)


def table(found: Sequence[Refusals]) -> str:
    """Return a Markdown table, a row for each kind and a column for each model."""
    by_name = [{each.kind: each for each in one.kinds} for one in found]
    rows = [
        f"| refused of | {' | '.join(one.environment for one in found)} |",
        f"|---|{'---|' * len(found)}",
    ]
    for kind in KINDS:
        if any(kind.name in names for names in by_name):
            rows.append(f"| {kind.name} | {' | '.join(_share(names.get(kind.name)) for names in by_name)} |")
    return "\n".join(rows)


def _share(one: Refused | None) -> str:
    if one is None:
        return "–"
    low, high = (100 * end for end in one.ci95)
    return f"{one.refused} of {one.pictures}, {100 * one.share:.0f} % [{low:.0f}, {high:.0f}]"
