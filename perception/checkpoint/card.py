"""The card of a checkpoint: everything that must be known to use its weights, and what it requires of arm and camera.

It names arm, camera, action convention and the data's fingerprint, so that a model is refused where it would have to
guess. It also holds the digest of the weights, so that a damaged copy is noticed before anything moves.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from perception.model.world_model import WorldModelConfig
from robot.embodiment.description import EmbodimentDescription
from robot.errors import CheckpointError
from robot.wire.camera_spec import CameraSpec, reframed

SCHEMA = 3
POSITION_TOLERANCE_M = 0.01
ANGLE_TOLERANCE_RAD = math.radians(1.0)
FOCAL_TOLERANCE = 0.01
CENTRE_TOLERANCE = 0.01  # of the picture's width
ERROR_MARGIN, VARIED_MARGIN = 1.5, 1.05
"""How far above the quantiles of play's errors that of a known picture may lie, because play is a sample."""


class Gate(msgspec.Struct, frozen=True):
    """One check of a model against data: its figure, the threshold, and whether it passed."""

    name: str
    value: float
    threshold: float
    above: bool
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the figure is on the right side of the threshold."""
        return self.value >= self.threshold if self.above else self.value <= self.threshold


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the weights came to be: the data's `fingerprint` and size, the settings, the seconds that all steps took,
    and the `series` of episodes that the data belong to (empty when not known), which may have grown since."""

    dataset_fingerprint: str
    episodes: int
    frames: int
    seed: int
    settings: dict[str, str | int | float]
    train_seconds: float
    versions: dict[str, str]
    series: str = ""


class PictureQuantiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One error of held-out pictures against what the model draws of them: the `median` and the quantile 0.999 (`most`)
    of pictures as they are, and the quantile 0.99 of pictures `varied` as in training."""

    median: float
    most: float
    varied: float

    @property
    def limit(self) -> float:
        """The error above which a picture looks like nothing that the model knows."""
        return max(ERROR_MARGIN * self.most, VARIED_MARGIN * self.varied)


class PictureErrors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well the model draws pictures that it knows, measured on `pictures` pictures of held-out play: the root mean
    square `difference`, of 1, and `dissimilarity`, which is 1 − the correlation, as
    `perception.evaluation.picture_errors` defines them."""

    difference: PictureQuantiles
    dissimilarity: PictureQuantiles
    pictures: int


class HeadsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of what learns on the latents: the critic's `discount`, the number of remembered states (`landmarks`), the
    actor's mixture `components` and the number of `features` by which it compares state and goal (0: the latents
    themselves), and the width of the `hidden` layers of critic and actor. `masked`: they learnt goals of which only
    some entity tokens matter. `pairs`: they compare entity tokens pair by pair, and otherwise all numbers at once."""

    discount: float
    landmarks: int = 0
    components: int = 1
    features: int = 0
    hidden: int = 256
    masked: bool = False
    pairs: bool = True


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON beside the weights. `block_change` is an upper bound on how much one block changes the latents (mean
    squared difference, 90th percentile in held-out play); a goal nearer than that counts as reached. `decision` says
    how an agent with these weights plans, where that differs from the defaults; the control floor decodes it.
    `picture_errors` tell pictures that the model knows from others; None in cards that were written without."""

    schema: int
    embodiment: EmbodimentDescription
    world_model: WorldModelConfig
    heads: HeadsConfig
    block_change: float
    provenance: Provenance
    gates: tuple[Gate, ...]
    decision: dict[str, Any] = {}
    picture_errors: PictureErrors | None = None
    weights_sha256: str = ""
    card_sha256: str = ""

    def require(self, arm: str, camera: CameraSpec, cut: bool = False) -> None:
        """Raise `CheckpointError` unless this model was trained with that `arm` and that `camera`, in that pose. With
        `cut`, the camera's pictures are compared after they have been cropped and resized to the model's size."""
        require_same(self.embodiment, arm, camera, cut)


def require_same(embodiment: EmbodimentDescription, arm: str, camera: CameraSpec, cut: bool = False) -> None:
    """Raise `CheckpointError` unless what decides was trained with that `arm` and that `camera`, as `Card.require`."""
    if arm != embodiment.arm:
        raise CheckpointError(f"this checkpoint was trained on the arm {embodiment.arm!r}, not {arm!r}")
    known = embodiment.camera
    if camera.name != known.name:
        raise CheckpointError(f"this checkpoint was trained on the camera {known.name!r}, not {camera.name!r}")
    if len(camera.views) != len(known.views):
        raise CheckpointError(
            f"this checkpoint was trained with {len(known.views)} camera(s) at once; {camera.name!r} is "
            f"{len(camera.views)}"
        )
    for seen, learnt in zip(camera.views, known.views, strict=True):
        _require_view(seen, learnt, cut)


def _require_view(camera: CameraSpec, known: CameraSpec, cut: bool) -> None:
    """Raise `CheckpointError` unless `camera` takes pictures as `known` did, or does once they are `cut`."""
    advice = ""
    if cut and (camera.width, camera.height) != (known.width, known.height):
        advice = (
            f"; that is once its {camera.width}×{camera.height} are cut and resized to this checkpoint's "
            f"{known.width}×{known.height}: start `worldarm camera` with the --width and --height that were recorded"
        )
        camera = reframed(camera, (known.width, known.height))
    if (camera.width, camera.height) != (known.width, known.height):
        raise CheckpointError(
            f"this checkpoint sees pictures of {known.width}×{known.height}; the camera {camera.name!r} sends "
            f"{camera.width}×{camera.height}"
        )
    if any(abs(a - b) > FOCAL_TOLERANCE * b for a, b in zip(camera.focal, known.focal, strict=True)):
        raise CheckpointError(
            f"the camera {camera.name!r} has focal lengths {camera.focal} px; this checkpoint was trained with "
            f"{known.focal} px{advice}"
        )
    if math.dist(camera.centre, known.centre) > CENTRE_TOLERANCE * known.width:
        raise CheckpointError(
            f"the camera {camera.name!r} has its optical centre at {camera.centre} px; this checkpoint was trained "
            f"with {known.centre} px: do not crop the pictures otherwise{advice}"
        )
    if camera.position and known.position and math.dist(camera.position, known.position) > POSITION_TOLERANCE_M:
        raise CheckpointError(
            f"the camera {camera.name!r} stands {math.dist(camera.position, known.position) * 100:.1f} cm from "
            "where this checkpoint was trained; move it back or train again"
        )
    if camera.orientation and known.orientation:
        turned = 2 * math.acos(
            min(1.0, abs(sum(a * b for a, b in zip(camera.orientation, known.orientation, strict=True))))
        )
        if turned > ANGLE_TOLERANCE_RAD:
            raise CheckpointError(
                f"the camera {camera.name!r} is turned by {math.degrees(turned):.1f}° from where this checkpoint "
                "was trained; turn it back or train again"
            )
