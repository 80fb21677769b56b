"""`worldarm train`: from a data set to a checkpoint in one command, going on where it was stopped."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import torch
import tyro

from control.arrival import block_change
from control.doctor import HELD_OUT_SHARE, examine, require_enough, verdict
from control.hindsight import HindsightSampler
from control.trained import TrainedModel, new_parts, save_trained
from control.training import HeadTraining, train_actor, train_critic
from perception.checkpoint import SCHEMA, Card, Provenance
from perception.curves import draw_curves
from perception.distributed import Workers, join, leave
from perception.frame_cache import FrameCache, open_cache
from perception.run_folder import Settings, claim_run
from perception.training import (
    DecoderTraining,
    Precision,
    PredictorTraining,
    WorldModelTraining,
    compute_dtype,
    encode_all,
    train_decoder,
    train_predictor,
    train_world_model,
)
from perception.world_model import WorldModelConfig
from robot.dataset.reader import Dataset
from robot.errors import ConfigurationError, DatasetError
from robot.output import make_folder
from robot.recipe import read_recipe

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Sizes:
    """Sizes of the world model."""

    latent: int = 192
    keypoints: int = 48
    width: int = 384
    blocks: int = 2
    dropout: float = 0.1


def train(
    dataset: Annotated[Path, tyro.conf.arg(help="the data set to learn from")] = Path("data/play"),
    output: Annotated[Path, tyro.conf.arg(help="folder for the finished checkpoint")] = Path("out/checkpoint"),
    run: Annotated[Path, tyro.conf.arg(help="folder for what a resume needs, and the curves")] = Path("out/train"),
    world_model: Annotated[
        WorldModelTraining, tyro.conf.arg(help="training of encoder and predictor")
    ] = WorldModelTraining(),
    predictor: Annotated[
        PredictorTraining, tyro.conf.arg(help="second training of the predictor, on frozen latents")
    ] = PredictorTraining(),
    decoder: Annotated[DecoderTraining, tyro.conf.arg(help="training of the drawing decoder")] = DecoderTraining(),
    heads: Annotated[HeadTraining, tyro.conf.arg(help="training of critic and actor")] = HeadTraining(),
    sizes: Annotated[Sizes, tyro.conf.arg(help="sizes of the world model")] = Sizes(),
    seed: Annotated[int, tyro.conf.arg(help="the same seed and data give the same weights on the same machine")] = 0,
    device: Annotated[Literal["cpu", "cuda"], tyro.conf.arg(help="where to compute")] = "cpu",
    precision: Annotated[
        Precision, tyro.conf.arg(help="bf16 is faster where the CPU has it, which auto finds out")
    ] = "auto",
) -> None:
    """Learn a world model from a data set, then critic and actor on its latents, and write a checkpoint.

    Shows progress with the time left, draws the loss curves, and measures the finished model with the doctor's gates.
    Stopped at any time, even by SIGKILL, the same command goes on exactly where it was. The work is shared over the
    processes of `torchrun --nproc-per-node N -m -- worldarm train ...` (the `--` keeps torchrun from the options).
    """
    workers = join(device)
    try:
        _refuse_senseless(world_model, predictor, decoder, heads, sizes, seed, workers)
        _train(dataset, output, run, world_model, predictor, decoder, heads, sizes, seed, workers, precision)
    finally:
        leave(workers)


def _train(
    dataset: Path,
    output: Path,
    run: Path,
    world_model: WorldModelTraining,
    predictor: PredictorTraining,
    decoder: DecoderTraining,
    heads: HeadTraining,
    sizes: Sizes,
    seed: int,
    workers: Workers,
    precision: Precision,
) -> None:
    source = Dataset.open(dataset)
    recipe = read_recipe(source.info)
    camera = recipe.camera
    dtype = compute_dtype(precision, workers.device)
    machine = _machine(workers, dtype)
    if not workers.leads:
        workers.wait()  # for the leader to decode the frames
    for folder in (output, run):
        make_folder(folder)
    cache = open_cache(source, camera.name, run / "cache")
    if workers.leads:
        claim_run(run, _origins(cache, world_model, predictor, decoder, heads, sizes, seed, machine))
        workers.wait()
    fit, held_out = cache.split(HELD_OUT_SHARE)
    clip = max((world_model.clip - 1) * world_model.stride + 1, predictor.clip)
    if cache.lengths[fit].max() < clip:
        raise DatasetError(
            f"the longest episode to learn from in {dataset} has {cache.lengths[fit].max()} frames; "
            f"training needs clips of {clip}"
        )
    require_enough(cache, held_out)
    config = WorldModelConfig(
        height=camera.height,
        width_px=camera.width,
        proprio=cache.states.shape[1],
        action=cache.actions.shape[1],
        latent=sizes.latent,
        keypoints=sizes.keypoints,
        width=sizes.width,
        blocks=sizes.blocks,
        dropout=sizes.dropout,
        binary=recipe.action.binary,
    )
    torch.manual_seed(seed)
    parts = new_parts(config, heads.discount, heads.landmarks)
    histories = {"world model": train_world_model(parts.model, cache, fit, world_model, run, seed, workers, dtype)}
    latents = encode_all(parts.model, cache, workers.device)
    histories["predictor"] = train_predictor(parts.model, cache, fit, latents, predictor, run, seed, workers, dtype)
    histories["decoder"] = train_decoder(parts.decoder, cache, latents, decoder, run, seed, workers, dtype)
    parts.model.cpu()
    with torch.inference_mode():
        proprio = parts.model.normaliser(torch.from_numpy(cache.states)).clone()
    sampler = HindsightSampler(cache, fit, latents, proprio, torch.from_numpy(cache.actions))
    histories["critic"] = train_critic(parts.critic, sampler, heads, run, seed, workers)
    histories["actor"] = train_actor(parts.actor, parts.critic, sampler, heads, run, seed, workers)
    if not workers.leads:
        return
    known = torch.from_numpy(cache.frames_of(fit))
    parts.landmarks.choose(latents[known], proprio[known], seed)
    for part in parts.named().values():
        part.cpu().eval()
    gates = examine(parts, cache, latents, fit, held_out, seed)
    card = Card(
        schema=SCHEMA,
        recipe=recipe,
        world_model=config,
        discount=heads.discount,
        block_change=block_change(latents, cache.starts[held_out], cache.lengths[held_out]),
        provenance=Provenance(
            dataset_fingerprint=cache.fingerprint,
            episodes=len(cache.starts),
            frames=cache.frames,
            seed=seed,
            settings={
                **_flat(sizes=sizes, world_model=world_model, predictor=predictor, decoder=decoder, heads=heads),
                **machine,
            },
            train_seconds=round(sum(history.seconds for history in histories.values()), 1),
            versions={"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__},
            series=cache.series,
        ),
        gates=tuple(gates),
        landmarks=heads.landmarks,
    )
    save_trained(output, TrainedModel(card, parts))
    draw_curves(histories, run / "curves.png")
    print(f"checkpoint in {output}, loss curves in {run / 'curves.png'}")
    print(verdict(gates))


def _refuse_senseless(
    world_model: WorldModelTraining,
    predictor: PredictorTraining,
    decoder: DecoderTraining,
    heads: HeadTraining,
    sizes: Sizes,
    seed: int,
    workers: Workers,
) -> None:
    """Raise `ConfigurationError` for settings that no training can have, before anything is decoded."""
    parts = (("world-model", world_model), ("predictor", predictor), ("decoder", decoder), ("heads", heads))
    for name, settings in parts:
        if settings.steps < 1:
            raise ConfigurationError(f"--{name}.steps is {settings.steps}; at least one step must be taken")
        if settings.batch < workers.count:
            raise ConfigurationError(f"--{name}.batch {settings.batch} is too small for {workers.count} process(es)")
        if not settings.learning_rate > 0:
            raise ConfigurationError(f"--{name}.learning-rate must be above 0, not {settings.learning_rate:g}")
    for name, length in (("world-model", world_model.clip), ("predictor", predictor.clip)):
        if length < 2:
            raise ConfigurationError(f"--{name}.clip is {length}; an action needs a frame before and after")
    for option, number in (
        ("world-model.weights.projections", world_model.weights.projections),
        ("world-model.weights.coloured", world_model.weights.coloured),
        ("world-model.stride", world_model.stride),
        ("heads.reach", heads.reach),
    ):
        if number < 1:
            raise ConfigurationError(f"--{option} is {number}; it must be at least 1")
    if not 0 < heads.discount < 1:
        raise ConfigurationError(f"--heads.discount must lie between 0 and 1, not {heads.discount:g}")
    if not 0 < heads.expectile < 1:
        raise ConfigurationError(f"--heads.expectile must lie between 0 and 1, not {heads.expectile:g}")
    if min(sizes.latent, sizes.width) < 1 or min(sizes.blocks, sizes.keypoints) < 0 or not 0 <= sizes.dropout < 1:
        raise ConfigurationError(f"no world model has these sizes: {sizes}")
    if not 0 <= seed <= LARGEST_SEED:
        raise ConfigurationError(f"--seed must be 0 to {LARGEST_SEED}, not {seed}")
    for option, value in _flat(world_model=world_model, predictor=predictor, decoder=decoder, heads=heads).items():
        if not 0 <= value < math.inf:
            raise ConfigurationError(f"--{option.replace('_', '-')} must be 0 or more and finite, not {value:g}")


def _machine(workers: Workers, dtype: torch.dtype) -> Settings:
    """Return on what a training computes: on anything else the same steps end in other weights."""
    precision: Precision = "bf16" if dtype == torch.bfloat16 else "float32"
    return {"processes": workers.count, "device": workers.device.type, "precision": precision}


def _origins(
    cache: FrameCache,
    world_model: WorldModelTraining,
    predictor: PredictorTraining,
    decoder: DecoderTraining,
    heads: HeadTraining,
    sizes: Sizes,
    seed: int,
    machine: Settings,
) -> dict[str, Settings]:
    """Return what each part's weights depend on, so that none is taken up again under other settings."""
    base = {"dataset": cache.fingerprint, "seed": seed, **machine, **_flat(sizes=sizes, world_model=world_model)}
    refined = {**base, **_flat(predictor=predictor)}
    on_latents = {**base, **_flat(heads=heads)}
    return {
        "world-model": base,
        "predictor": refined,
        "decoder": {**base, **_flat(decoder=decoder)},
        "critic": on_latents,
        "actor": on_latents,
    }


def _flat(
    **parts: WorldModelTraining | PredictorTraining | DecoderTraining | HeadTraining | Sizes,
) -> dict[str, int | float]:
    """Return every setting by its dotted name."""
    flat: dict[str, int | float] = {}
    for part, settings in parts.items():
        for key, value in msgspec.to_builtins(settings).items():
            if isinstance(value, dict):
                flat.update({f"{part}.{key}.{inner}": number for inner, number in value.items()})
            else:
                flat[f"{part}.{key}"] = value
    return flat
