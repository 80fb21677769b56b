"""A whole training: world model, then predictor, decoder, critic and actor on its latents, then the doctor's gates."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import torch

from control.goals.goal_detector import block_change
from control.learning.compatibility import require_embodiment
from control.learning.doctor import HELD_OUT_SHARE, examine, require_enough
from control.learning.heads import HeadTraining, train_actor, train_critic
from control.learning.hindsight import HindsightSampler, Seen
from control.model.trained_model import TrainedModel, load_trained, new_parts, save_trained
from perception.checkpoint.card import SCHEMA, Card, Gate, Provenance
from perception.checkpoint.files import CARD_FILE, load_card
from perception.model.world_model import PICTURE, WorldModelConfig
from perception.training.compiler import require_compiler
from perception.training.curves import draw_curves
from perception.training.distributed import Workers
from perception.training.loop import History
from perception.training.run_folder import Settings, claim_run
from perception.training.world_model import (
    DecoderTraining,
    Precision,
    PredictorTraining,
    WorldModelTraining,
    compute_dtype,
    encode_all,
    expect_all,
    train_decoder,
    train_predictor,
    train_world_model,
)
from perception.training_data.frame_cache import FrameCache
from perception.training_data.mirroring import with_mirrored
from perception.training_data.rig_view import open_seen, seen_by
from robot.dataset.reader import Dataset
from robot.embodiment.description import EmbodimentDescription, read_embodiment
from robot.embodiment.state_entries import commands_among
from robot.errors import ConfigurationError, DatasetError
from robot.system.files import make_folder

LARGEST_SEED = 2**31 - 1
MACHINE = frozenset(("processes", "device", "precision", "compiled"))
"""Settings that say what computed a training, not what was to be learnt."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the world model; `context` is the number of latents, 1 or 2, from which the next one is predicted."""

    latent: int = 192
    keypoints: int = 48
    width: int = 384
    blocks: int = 2
    dropout: float = 0.1
    context: int = 1


@dataclass(frozen=True)
class Learning:
    """All that a training's weights depend on beside its data: the settings of each part, how many `episodes` are
    learnt from (None for all but those that judge), the `seed`, whether `mirror` images count as episodes too, the
    checkpoint whose `encoder` is kept as it is (None to learn one), the only `view` of a rig that is seen (counted
    from 1; None for all), and the name of the `camera` that is seen through (None for the first)."""

    world_model: WorldModelTraining
    predictor: PredictorTraining
    decoder: DecoderTraining
    heads: HeadTraining
    sizes: Sizes
    episodes: int | None = None
    seed: int = 0
    mirror: bool = False
    encoder: Path | None = None
    view: int | None = None
    camera: str | None = None

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings that no training can have."""
        _refuse_senseless(self)

    def chosen(self) -> Settings:
        """Return what is learnt from, where that is not simply all there is."""
        given = {
            "episodes": self.episodes,
            "mirror": 1 if self.mirror else None,
            "view": self.view,
            "camera": self.camera,
        }
        return {name: value for name, value in given.items() if value is not None}

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
    compiled: bool = False,
) -> tuple[Gate, ...]:
    """Learn from `dataset` and write a checkpoint to `output`, going on in `run`; frames are decoded to `cache_folder`.
    When `compiled`, the world model's training is translated to machine code first.

    Returns the doctor's gates; none in processes that do not lead. Raises as the parts do, and `DatasetError` for data
    that cannot be learnt from.
    """
    known = None if learning.encoder is None else load_trained(learning.encoder)
    if known is not None and learning.sizes == Sizes():
        learning = replace(learning, sizes=sizes_of(known))
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
    recorded_embodiment = read_embodiment(source.info, learning.camera, PICTURE)
    embodiment = seen_by(recorded_embodiment, learning.view)
    if known is not None:
        require_embodiment(known.card, embodiment, dataset)
    dtype = compute_dtype(precision, workers.device)
    if compiled:
        require_compiler()
    machine = _machine(workers, dtype, compiled)
    if not workers.leads:
        workers.wait()  # for the leader to decode the frames
    for folder in (output, run):
        make_folder(folder)
    cache = open_seen(source, learning.view, recorded_embodiment, cache_folder)
    if workers.leads:
        claim_run(run, _origins(cache, learning, known, machine))
        workers.wait()
    fit, held_out = cache.split(HELD_OUT_SHARE)
    fit = fit[np.isin(cache.recorded[fit], np.unique(cache.recorded[fit])[: learning.episodes])]
    earlier = sizes.context - 1
    clip = max((world_model.clip - 1 + earlier) * world_model.stride + 1, predictor.clip + earlier)
    if cache.lengths[fit].max() < clip:
        raise DatasetError(
            f"the longest episode to learn from in {dataset} has {cache.lengths[fit].max()} frames; "
            f"training needs clips of {clip}"
        )
    require_enough(cache, held_out)
    recorded = cache
    if learning.mirror:
        cache, mirrored = with_mirrored(cache, fit, embodiment)
        fit = np.concatenate([fit, mirrored])
    config = model_config(cache, embodiment, sizes)
    if known is not None:
        # What is felt as it was commanded was not always told apart, and need not be.
        config = msgspec.structs.replace(config, commands=known.card.world_model.commands)
        _require_sizes(known, config)
    torch.manual_seed(seed)
    parts = new_parts(config, heads.config())
    histories: dict[str, History] = {}
    if known is None:
        histories["world model"] = train_world_model(
            parts.model, cache, fit, world_model, run, seed, workers, dtype, compiled
        )
    else:
        parts.model.load_state_dict(known.parts.model.state_dict())
        parts.decoder.load_state_dict(known.parts.decoder.state_dict())
    latents = encode_all(parts.model, cache, workers.device)
    histories["predictor"] = train_predictor(parts.model, cache, fit, latents, predictor, run, seed, workers, dtype)
    if known is None:
        histories["decoder"] = train_decoder(parts.decoder, cache, latents, learning.decoder, run, seed, workers, dtype)
    augmented = [latents]
    if world_model.augmentation.share > 0:
        every_one = msgspec.structs.replace(world_model.augmentation, share=1.0)
        augmented.append(encode_all(parts.model, cache, workers.device, every_one, seed, dtype))
    views = [Seen(seen, *expect_all(parts.model, cache, seen)) for seen in augmented]
    sampler = HindsightSampler(cache, fit, views, torch.from_numpy(cache.clean_actions))
    histories["critic"] = train_critic(parts.critic, sampler, heads, run, seed, workers, dtype)
    histories["actor"] = train_actor(
        parts.actor, parts.critic, parts.model.predictor, sampler, heads, run, seed, workers, dtype
    )
    if not workers.leads:
        return ()
    of_fit = torch.from_numpy(cache.frames_of(fit))
    parts.landmarks.choose(latents[of_fit], views[0].proprio[of_fit], seed)
    for part in parts.named().values():
        part.cpu().eval()
    gates = examine(parts, cache, latents, fit, held_out, embodiment.state_names, seed)
    card = Card(
        schema=SCHEMA,
        embodiment=embodiment,
        world_model=config,
        heads=heads.config(),
        block_change=block_change(latents, cache.starts[held_out], cache.lengths[held_out]),
        provenance=Provenance(
            dataset_fingerprint=recorded.fingerprint,
            episodes=len(recorded.starts),
            frames=recorded.frames,
            seed=seed,
            settings={
                **learning.flat("sizes", "world_model", "predictor", "decoder", "heads"),
                **learning.chosen(),
                **_kept(known, "world_model", "decoder"),
                **machine,
            },
            train_seconds=round(
                sum(history.seconds for history in histories.values())
                + (0.0 if known is None else known.card.provenance.train_seconds),
                1,
            ),
            versions={"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__},
            series=cache.series,
        ),
        gates=tuple(gates),
    )
    save_trained(output, TrainedModel(card, parts))
    draw_curves(histories, run / "curves.png")
    return tuple(gates)


def was_learnt(folder: Path, learning: Learning, fingerprint: str) -> bool:
    """Whether `folder` holds a checkpoint that was learnt so, whatever computed it, from the data set with this
    `fingerprint`. Raises `CheckpointError` for a card that is not whole."""
    if not (folder / CARD_FILE).exists():
        return False
    provenance = load_card(folder).provenance
    settings = {name: value for name, value in provenance.settings.items() if name not in MACHINE}
    wanted = {**learning.flat("sizes", "world_model", "predictor", "decoder", "heads"), **learning.chosen()}
    return (provenance.dataset_fingerprint, provenance.seed, settings) == (fingerprint, learning.seed, wanted)


def model_config(cache: FrameCache, embodiment: EmbodimentDescription, sizes: Sizes) -> WorldModelConfig:
    """Return what world model of these sizes learns from the frames of `cache`, recorded by `embodiment`."""
    return WorldModelConfig(
        height=embodiment.camera.height,
        width_px=embodiment.camera.width,
        proprio=cache.states.shape[1],
        action=cache.actions.shape[1],
        latent=sizes.latent,
        keypoints=sizes.keypoints,
        views=len(embodiment.camera.views),
        width=sizes.width,
        blocks=sizes.blocks,
        dropout=sizes.dropout,
        binary=embodiment.action.binary,
        context=sizes.context,
        commands=commands_among(embodiment.state_names),
    )


def sizes_of(known: TrainedModel) -> Sizes:
    """Return the sizes that a model was learnt in."""
    return Sizes(**{name: getattr(known.card.world_model, name) for name in Sizes.__dataclass_fields__})


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
        ("heads.components", heads.components),
        ("heads.hidden", heads.hidden),
    ):
        if number < 1:
            raise ConfigurationError(f"--{option} is {number}; it must be at least 1")
    if not 0 < heads.discount < 1:
        raise ConfigurationError(f"--heads.discount must lie between 0 and 1, not {heads.discount:g}")
    if not 0 < heads.expectile < 1:
        raise ConfigurationError(f"--heads.expectile must lie between 0 and 1, not {heads.expectile:g}")
    if min(sizes.latent, sizes.width) < 1 or min(sizes.blocks, sizes.keypoints) < 0 or not 0 <= sizes.dropout < 1:
        raise ConfigurationError(f"no world model has these sizes: {sizes}")
    if sizes.context not in (1, 2):
        raise ConfigurationError(f"--sizes.context must be 1 or 2, not {sizes.context}")
    if not 0 <= learning.seed <= LARGEST_SEED:
        raise ConfigurationError(f"--seed must be 0 to {LARGEST_SEED}, not {learning.seed}")
    if learning.episodes is not None and learning.episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, not {learning.episodes}")
    for option, value in learning.flat("world_model", "predictor", "decoder", "heads").items():
        if not 0 <= value < math.inf:
            raise ConfigurationError(f"--{option.replace('_', '-')} must be 0 or more and finite, not {value:g}")


def _kept(known: TrainedModel | None, *parts: str) -> Settings:
    """Return whose encoder is kept, where one is, and under which settings those `parts` were learnt then."""
    if known is None:
        return {}
    before = known.card.provenance.settings.items()
    return {
        "encoder": known.card.weights_sha256,
        **{name: value for name, value in before if name.partition(".")[0] in parts},
    }


def _require_sizes(known: TrainedModel, config: WorldModelConfig) -> None:
    """Raise `ConfigurationError` unless a model of `config` can keep the encoder of `known`."""
    differing = [
        f"{name} is {getattr(known.card.world_model, name)} there, {getattr(config, name)} here"
        for name in config.__struct_fields__
        if getattr(known.card.world_model, name) != getattr(config, name)
    ]
    if differing:
        raise ConfigurationError(f"--encoder and --sizes do not fit: {'; '.join(differing)}")


def _machine(workers: Workers, dtype: torch.dtype, compiled: bool) -> Settings:
    """Return on what a training computes: on anything else the same steps end in other weights."""
    precision: Precision = "bf16" if dtype == torch.bfloat16 else "float32"
    computed: Settings = {"processes": workers.count, "device": workers.device.type, "precision": precision}
    return {**computed, "compiled": 1} if compiled else computed


def _origins(
    cache: FrameCache, learning: Learning, known: TrainedModel | None, machine: Settings
) -> dict[str, Settings]:
    """Return what each part's weights depend on, so that none is taken up again under other settings."""
    base = {
        "dataset": cache.fingerprint,
        "seed": learning.seed,
        **machine,
        **learning.flat("sizes", "world_model"),
        **learning.chosen(),
        **_kept(known),
    }
    on_latents = {**base, **learning.flat("heads")}
    return {
        "world-model": base,
        "predictor": {**base, **learning.flat("predictor")},
        "decoder": {**base, **learning.flat("decoder")},
        "critic": on_latents,
        "actor": on_latents,
    }
