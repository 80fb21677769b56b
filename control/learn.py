"""A whole training: world model, then predictor, decoder, critic and actor on its latents, then the doctor's gates."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from control.arrival import block_change
from control.doctor import HELD_OUT_SHARE, examine, require_enough
from control.hindsight import HindsightSampler
from control.trained import TrainedModel, new_parts, save_trained
from control.training import HeadTraining, train_actor, train_critic
from perception.checkpoint import SCHEMA, Card, Gate, Provenance
from perception.curves import draw_curves
from perception.distributed import Workers
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


@dataclass(frozen=True)
class Learning:
    """All that a training's weights depend on beside its data: the settings of each part, how many `episodes` are
    learnt from (None for all but those that judge), and the `seed`."""

    world_model: WorldModelTraining
    predictor: PredictorTraining
    decoder: DecoderTraining
    heads: HeadTraining
    sizes: Sizes
    episodes: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings that no training can have."""
        _refuse_senseless(self)

    def flat(self, *parts: str) -> dict[str, int | float]:
        """Return every setting of some parts by its dotted name."""
        flat: dict[str, int | float] = {}
        for part in parts:
            for key, value in msgspec.to_builtins(getattr(self, part)).items():
                if isinstance(value, dict):
                    flat.update({f"{part}.{key}.{inner}": number for inner, number in value.items()})
                else:
                    flat[f"{part}.{key}"] = value
        return flat


def learn(
    dataset: Path,
    output: Path,
    run: Path,
    cache_folder: Path,
    learning: Learning,
    workers: Workers,
    precision: Precision = "auto",
) -> tuple[Gate, ...]:
    """Learn from `dataset` and write a checkpoint to `output`, going on in `run`; frames are decoded to `cache_folder`.

    Returns the doctor's gates; none in processes that do not lead. Raises as the parts do, and `DatasetError` for data
    that cannot be learnt from.
    """
    world_model, predictor, heads, sizes = learning.world_model, learning.predictor, learning.heads, learning.sizes
    seed = learning.seed
    for name, batch in (
        ("world-model", world_model.batch),
        ("predictor", predictor.batch),
        ("decoder", learning.decoder.batch),
        ("heads", heads.batch),
    ):
        if batch < workers.count:
            raise ConfigurationError(f"--{name}.batch {batch} is too small for {workers.count} process(es)")
    source = Dataset.open(dataset)
    recipe = read_recipe(source.info)
    camera = recipe.camera
    dtype = compute_dtype(precision, workers.device)
    machine = _machine(workers, dtype)
    if not workers.leads:
        workers.wait()  # for the leader to decode the frames
    for folder in (output, run):
        make_folder(folder)
    cache = open_cache(source, camera.name, cache_folder)
    if workers.leads:
        claim_run(run, _origins(cache, learning, machine))
        workers.wait()
    fit, held_out = cache.split(HELD_OUT_SHARE)
    fit = fit[: learning.episodes]
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
    histories["decoder"] = train_decoder(parts.decoder, cache, latents, learning.decoder, run, seed, workers, dtype)
    parts.model.cpu()
    with torch.inference_mode():
        proprio = parts.model.normaliser(torch.from_numpy(cache.states)).clone()
    sampler = HindsightSampler(cache, fit, latents, proprio, torch.from_numpy(cache.actions))
    histories["critic"] = train_critic(parts.critic, sampler, heads, run, seed, workers)
    histories["actor"] = train_actor(parts.actor, parts.critic, sampler, heads, run, seed, workers)
    if not workers.leads:
        return ()
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
                **learning.flat("sizes", "world_model", "predictor", "decoder", "heads"),
                **({} if learning.episodes is None else {"episodes": learning.episodes}),
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
    return tuple(gates)


def _refuse_senseless(learning: Learning) -> None:
    """Raise `ConfigurationError` for settings that no training can have, before anything is decoded."""
    world_model, predictor, heads, sizes = learning.world_model, learning.predictor, learning.heads, learning.sizes
    parts = (("world-model", world_model), ("predictor", predictor), ("decoder", learning.decoder), ("heads", heads))
    for name, settings in parts:
        if settings.steps < 1:
            raise ConfigurationError(f"--{name}.steps is {settings.steps}; at least one step must be taken")
        if settings.batch < 1:
            raise ConfigurationError(f"--{name}.batch is {settings.batch}; it must be at least 1")
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
    if not 0 <= learning.seed <= LARGEST_SEED:
        raise ConfigurationError(f"--seed must be 0 to {LARGEST_SEED}, not {learning.seed}")
    if learning.episodes is not None and learning.episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, not {learning.episodes}")
    for option, value in learning.flat("world_model", "predictor", "decoder", "heads").items():
        if not 0 <= value < math.inf:
            raise ConfigurationError(f"--{option.replace('_', '-')} must be 0 or more and finite, not {value:g}")


def _machine(workers: Workers, dtype: torch.dtype) -> Settings:
    """Return on what a training computes: on anything else the same steps end in other weights."""
    precision: Precision = "bf16" if dtype == torch.bfloat16 else "float32"
    return {"processes": workers.count, "device": workers.device.type, "precision": precision}


def _origins(cache: FrameCache, learning: Learning, machine: Settings) -> dict[str, Settings]:
    """Return what each part's weights depend on, so that none is taken up again under other settings."""
    base = {
        "dataset": cache.fingerprint,
        "seed": learning.seed,
        **machine,
        **learning.flat("sizes", "world_model"),
        **({} if learning.episodes is None else {"episodes": learning.episodes}),
    }
    on_latents = {**base, **learning.flat("heads")}
    return {
        "world-model": base,
        "predictor": {**base, **learning.flat("predictor")},
        "decoder": {**base, **learning.flat("decoder")},
        "critic": on_latents,
        "actor": on_latents,
    }
