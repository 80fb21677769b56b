"""An encoder as another package would offer it: it sees motion in two small pictures, through a fixed projection whose
weights lie in a file of its own, and learns only what follows."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from perception.model.encoders import EncoderRequest
from perception.model.frozen import Frozen
from robot.registry import ENCODERS
from tests import strangers

PICTURE = (48, 32)
FEATURES = 24


class ProjectionEncoder(nn.Module):
    picture = PICTURE
    frames = 2
    keypoints = 0

    def __init__(self, latent: int, views: int, weights_file: Path) -> None:
        super().__init__()
        self.latent = latent
        self.weights_file = weights_file
        self.projection = Frozen(nn.Linear(self.frames * views * PICTURE[0] * PICTURE[1] * 3, FEATURES, bias=False))
        self.head = nn.Linear(FEATURES, latent)

    def read_weights(self) -> None:
        self.projection.module.load_state_dict(load_file(self.weights_file))

    def look(self, clips: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.head(self.projection(clips.flatten(1).float() / 255.0)).float(), None


def make_encoder(request: EncoderRequest) -> ProjectionEncoder:
    return ProjectionEncoder(request.latent, request.views, Path(request.options["weights"]))


def write_weights(path: Path, seed: int) -> Path:
    """Write projection weights for one view, drawn with `seed`."""
    size = ProjectionEncoder.frames * PICTURE[0] * PICTURE[1] * 3
    weight = torch.randn(FEATURES, size, generator=torch.Generator().manual_seed(seed)) / size**0.5
    save_file({"weight": weight}, path)
    return path


def install(folder: Path) -> Path:
    """Install this encoder in `folder` as "projection"; returns the folder."""
    strangers.install(folder, "projection", ENCODERS, {"projection": f"{__name__}:make_encoder"})
    return folder
