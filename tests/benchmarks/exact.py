"""`worldarm benchmark exact`: what the agent reaches when it sees the exact poses of all objects.

The gap between this and a model that looks at pictures is what seeing costs; what is missing here is not the eyes'
fault.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import tyro
from tqdm import tqdm

from control.learning.doctor import verdict
from control.learning.heads import HeadTraining
from control.learning.pipeline import learn
from control.learning.settings import Learning
from control.learning.sizes import Sizes
from control.learning.training import Folders
from control.model.trained_model import load_trained
from control.policies import Method, make_agent
from perception.training.distributed import join
from perception.training.world_model import DecoderTraining, PredictorTraining, WorldModelTraining
from robot.arm.interface import ObjectPose
from robot.dataset.format.columns import OBJECT_POSE, image_column
from robot.dataset.format.encoding import encode_png
from robot.dataset.reader import Dataset
from robot.embodiment.description import EmbodimentDescription, read_embodiment
from robot.errors import ConfigurationError
from robot.registry import ENCODERS
from robot.system.files import make_folder, require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.evaluate import Measurement, collect, measure
from sim.evaluation.summary import Summary, summarise, table
from sim.tasks.environments import TABLETOP_PLAY, environment_of
from sim.tasks.goals import require_goals
from sim.tasks.task import Level, Task, Things
from sim.world.lockstep import LockStep
from tests.benchmarks.exact_positions import ENCODER, NAMES, ExactScene, picture_of
from tests.strangers import install

_NOTHING = WorldModelTraining(steps=1, batch=2)
"""There is no encoder to train."""
_DRAWS = DecoderTraining(steps=1, batch=2)


def benchmark_exact(
    dataset: Annotated[Path, tyro.conf.arg(help="play on the tabletop, from `worldarm play --task tabletop`")],
    folder: Annotated[
        Path, tyro.conf.arg(help="where data, training and checkpoint go; an interrupted run continues there")
    ] = Path("out/exact"),
    task: Annotated[Task, tyro.conf.arg(help="what to measure")] = "pick-place",
    level: Annotated[Level, tyro.conf.arg(help="as for `worldarm benchmark`")] = "clean",
    things: Annotated[Things | None, tyro.conf.arg(help="as for `worldarm benchmark`")] = None,
    episodes: Annotated[int, tyro.conf.arg(help="held-out goals")] = 100,
    seed: Annotated[int, tyro.conf.arg(help="seed of the training and of the goals")] = 0,
    method: Annotated[tuple[Method, ...], tyro.conf.arg(help="one or more methods, all on the same goals")] = (
        "full",
        "actor-only",
    ),
    predictor: Annotated[
        PredictorTraining, tyro.conf.arg(help="training of the predictor, as for `worldarm train`")
    ] = PredictorTraining(steps=4000),
    heads: Annotated[HeadTraining, tyro.conf.arg(help="training of critic and actor, as for `worldarm train`")] = (
        HeadTraining(steps=12000, expectile=0.7, temperature=0.3)
    ),
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure what the agent reaches when its encoder is given the exact pose of each object.

    Predictor, critic and actor learn from the same play as those of a model that looks at pictures, and decide in the
    same way. So the difference between both on the same goals is what seeing costs.
    """
    if episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, not {episodes}")
    require_seed(seed)
    require_goals(TABLETOP_PLAY, task, level, things)
    if json is not None:
        require_writable(json)
    source = Dataset.open(dataset)
    if environment_of(read_embodiment(source.info, None)) is not TABLETOP_PLAY:
        raise ConfigurationError(f"{dataset} is no play on the tabletop; `worldarm play --task tabletop` makes some")
    make_folder(folder)
    with _installed(folder / "package"):
        checkpoint = folder / "checkpoint"
        learning = Learning(
            *(_NOTHING, predictor, _DRAWS, heads, Sizes(entities=len(NAMES), encoder=ENCODER)),
            seed=seed,
        )
        data = _with_exact_pictures(source, folder / "data")
        gates = learn(Folders(data, checkpoint, folder / "run", folder / "run" / "cache"), learning, join("cpu"))
        print(f"exact: {verdict(list(gates))}", flush=True)
        what = Measurement(task, level, "none", seed, things)
        summaries = [_measured(checkpoint, each, what, episodes) for each in method]
    print(table(summaries))
    if json is not None:
        write_json(json, summaries)
        print(f"numbers: {json}")


@contextmanager
def _installed(folder: Path) -> Iterator[None]:
    """Install the encoder for this process, by metadata in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    install(folder, "exact_positions", ENCODERS, {ENCODER: "tests.benchmarks.exact_positions:make_encoder"})
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _with_exact_pictures(source: Dataset, target: Path) -> Path:
    """Copy the play `source` to `target`, with the exact poses in place of its pictures; what is complete stays."""
    if target.exists():
        return target
    camera = read_embodiment(source.info, None).camera
    staging = target.with_name(f"{target.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(source.root / "meta", staging / "meta")
    for path in tqdm(sorted((source.root / "data").rglob("*.parquet")), desc="exact pictures", unit="file"):
        rows = pq.read_table(path)
        poses = [rows[OBJECT_POSE + name].to_pylist() for name in NAMES]
        pictures = [
            {"bytes": encode_png(picture_of(_objects(each), camera.height, camera.width)), "path": None}
            for each in zip(*poses, strict=True)
        ]
        column = image_column(camera.name)
        number = rows.schema.get_field_index(column)
        rows = rows.set_column(number, rows.schema.field(number), pa.array(pictures, rows.schema.field(number).type))
        written = staging / path.relative_to(source.root)
        make_folder(written.parent)
        pq.write_table(rows, written)
    staging.rename(target)
    return target


def _objects(poses: Any) -> list[ObjectPose]:
    """Return the objects in `NAMES` at `poses`, 7 numbers each."""
    return [ObjectPose(name, tuple(pose[:3]), tuple(pose[3:])) for name, pose in zip(NAMES, poses, strict=True)]


def _measured(checkpoint: Path, method: Method, what: Measurement, episodes: int) -> Summary:
    """Measure one method in a world that shows exact poses."""
    torch.set_num_threads(1)
    trained = load_trained(checkpoint)
    embodiment: EmbodimentDescription = trained.card.embodiment
    agent = make_agent(trained, method, what.seed, trained.decision_config)
    world = LockStep(embodiment.camera, ExactScene(TABLETOP_PLAY.objects), embodiment.state_names)
    try:
        runs = measure(world, TABLETOP_PLAY, what, agent, range(episodes))
        records = collect(runs, episodes, what, method)
    finally:
        world.close()
    return summarise(what, method, False, trained.card.weights_sha256, records)
