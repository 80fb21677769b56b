"""All settings that a training's weights depend on, apart from the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from control.learning.heads import HeadTraining
from control.learning.sizes import Sizes
from perception.training.run_folder import Settings
from perception.training.settings import flat_settings
from perception.training.world_model import DecoderTraining, PredictorTraining, WorldModelTraining
from robot.errors import ConfigurationError

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Learning:
    """The settings of each part, and what is learnt from.

    `episodes`: learn from the first ones only, this many (None: from all that are not held out). `mirror`: learn from
    mirror images too. `encoder`: keep the encoder of this checkpoint unchanged (None: train one). `view`: use only this
    camera of a rig, counted from 1 (None: with all). `camera`: the name of the camera to use (None: the first).
    """

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
        """Raise `ConfigurationError` for an invalid seed or number of episodes."""
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigurationError(f"--seed must be 0 to {LARGEST_SEED}, not {self.seed}")
        if self.episodes is not None and self.episodes < 1:
            raise ConfigurationError(f"--episodes must be at least 1, not {self.episodes}")

    def require_batches(self, processes: int) -> None:
        """Raise `ConfigurationError` unless every batch can be shared out over this number of `processes`."""
        for name in ("world_model", "predictor", "decoder", "heads"):
            batch = getattr(self, name).batch
            if batch < processes:
                option = f"--{name.replace('_', '-')}.batch"
                raise ConfigurationError(f"{option} {batch} is too small for {processes} process(es)")

    def chosen(self) -> Settings:
        """Return which part of the data is learnt from, where that is not simply all of it."""
        given = {
            "episodes": self.episodes,
            "mirror": 1 if self.mirror else None,
            "view": self.view,
            "camera": self.camera,
        }
        return {name: value for name, value in given.items() if value is not None}

    def flat(self, *parts: str) -> Settings:
        """Return every setting of `parts` by its dotted name."""
        return {name: value for part in parts for name, value in flat_settings(part, getattr(self, part)).items()}

    def everything(self) -> Settings:
        """Return all settings by name, as a checkpoint's card keeps them."""
        return {**self.flat("sizes", "world_model", "predictor", "decoder", "heads"), **self.chosen()}
