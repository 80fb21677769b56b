"""The world model: a joint-embedding predictive architecture (JEPA) that imagines in latent space.

An encoder turns a clip of pictures into a latent. A predictor computes how latent and proprioception change under an
action. The pictures are not reconstructed: the latent keeps what can be predicted, what inverse dynamics need, and what
SIGReg spreads out.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from perception.model.encoders import PICTURE, Encoder, EncoderConfig, EncoderRequest, look_at_stills, make_encoder
from perception.model.entity_predictor import EntityPredictor
from perception.model.normaliser import Normaliser


class WorldModelConfig(msgspec.Struct, frozen=True):
    """Sizes of a world model.

    `height` and `width_px` are those of a whole picture in pixels, in which `views` cameras' pictures are stacked.
    `proprio` and `action` are the lengths of a state and an action, `latent` is the number of latent dimensions, and
    `keypoints` their number in each view. The predictor has a hidden `width`, `blocks` residual blocks, and `dropout`
    in training. `binary` are the entries of an action that are −1 or 1, as for a gripper that closes or opens, or 0 for
    no change. `commands` are the entries of a state that repeat what was commanded; only the predictor sees them.
    `context` is the number of latents, 1 or 2, from which the next one is predicted. `encoder` is None in models of
    before encoders had names: `named_encoder` says which one they have. `entities` is the number K of tokens that a
    latent consists of, 0 for a flat one; each token's hidden layers in the predictor have a quarter of `width`.
    """

    height: int = PICTURE[1]
    width_px: int = PICTURE[0]
    proprio: int = 7
    action: int = 2
    latent: int = 192
    width: int = 384
    blocks: int = 2
    dropout: float = 0.1
    binary: tuple[int, ...] = ()
    commands: tuple[int, ...] = ()
    keypoints: int = 0
    views: int = 1
    context: int = 1
    encoder: EncoderConfig | None = None
    entities: int = 0

    @property
    def token(self) -> int:
        """The number d of entries of a token: of an entity's, or of a flat latent, which is a single token. Raises
        `ValueError` when the entities cannot share the latent."""
        tokens = self.entities or 1
        if self.latent % tokens:
            raise ValueError(f"{tokens} entities cannot share {self.latent} latent dimensions")
        return self.latent // tokens

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height of each view's picture in pixels. Raises `ValueError` when the views cannot share it."""
        if self.height % self.views:
            raise ValueError(f"{self.views} pictures cannot share {self.height} pixels in height")
        return self.width_px, self.height // self.views

    @property
    def named_encoder(self) -> EncoderConfig:
        """The encoder, by the name of a built-in one where none is named."""
        return self.encoder or EncoderConfig(default_encoder(self.views, self.entities))


BUILT_IN_ENCODERS = ("convolutional", "convolutional-rig", "entities")
"""Of one camera, of several, and of entities; they have all their weights in the checkpoint."""


def default_encoder(views: int, entities: int) -> str:
    """Return the name of the encoder that pictures of `views` cameras have unless another is asked for: of a flat
    latent (0 `entities`) or of entity tokens."""
    return BUILT_IN_ENCODERS[2 if entities else 0 if views == 1 else 1]


TOKEN_SHARE = 4
"""A token's hidden layers are this much narrower than those of a flat latent: together they then cost about as much."""


class ResidualBlock(nn.Module):
    """A two-layer perceptron with layer normalisation before it, added to its input: (B, width) → (B, width)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden` refined."""
        return hidden + self.body(hidden)


class Predictor(nn.Module):
    """(latent, scaled proprio, action, and in a context of two the latent before) → latent and scaled proprio one block
    later."""

    def __init__(self, config: WorldModelConfig) -> None:
        super().__init__()
        self.latent = config.latent
        self.context = config.context
        size = config.latent + config.proprio
        self.enter = nn.Linear(size + config.action + (config.context - 1) * config.latent, config.width)
        self.blocks = nn.Sequential(*(ResidualBlock(config.width, config.dropout) for _ in range(config.blocks)))
        self.leave = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, size))

    def forward(
        self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next latent (B, D) and scaled proprio (B, P).

        `before` (B, D) is the latent one block earlier; None means that nothing moved. A context of one ignores it.
        """
        known = [latent, proprio, action]
        if self.context == 2:
            known.append(torch.zeros_like(latent) if before is None else latent - before)
        # The weights may be in half precision, for speed. The state never is, so that rounding errors do not add up.
        hidden = self.enter(torch.cat(known, dim=-1).to(self.enter.weight.dtype))
        change = self.leave(self.blocks(hidden)).to(latent.dtype)
        return latent + change[..., : self.latent], proprio + change[..., self.latent :]


AnyPredictor = Predictor | EntityPredictor
"""Both are called in the same way."""


def new_predictor(config: WorldModelConfig) -> AnyPredictor:
    """Return an untrained predictor: of tokens where `config` has entities, else of a flat latent. Raises `ValueError`
    when the entities cannot share the latent."""
    if config.entities == 0:
        return Predictor(config)
    return EntityPredictor(
        *(config.entities, config.token, config.proprio, config.action, config.width // TOKEN_SHARE, config.blocks),
        *(config.dropout, config.context),
    )


class WorldModel(nn.Module):
    """An encoder, a normaliser of proprioception, and a predictor."""

    def __init__(self, config: WorldModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = make_encoder_of(config)
        self.normaliser = Normaliser(config.proprio)
        self.predictor = new_predictor(config)

    def encode(self, pictures: Tensor) -> Tensor:
        """Return the latents (B, D) of scenes at rest, of which `pictures` (B, H, W, 3) uint8 RGB were taken."""
        return look_at_stills(self.encoder, pictures)

    def encode_clips(self, clips: Tensor) -> Tensor:
        """Return the latents (B, D) of `clips` (B, F, H, W, 3) uint8 RGB, F being the encoder's `frames`."""
        return self.encoder.look(clips)[0]

    def rollout(
        self, latent: Tensor, proprio: Tensor, actions: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Imagine what follows `latent` (B, D) and scaled `proprio` (B, P) under `actions` (B, T, A), where `before`
        (B, D) is the latent one block earlier.

        Returns latents (B, T, D) and scaled proprio (B, T, P) after each action.
        """
        return unroll(self.predictor, latent, proprio, actions, before)


def make_encoder_of(config: WorldModelConfig) -> Encoder:
    """Return a new encoder of the sizes in `config`. Raises as `make_encoder` does."""
    named = config.named_encoder
    sizes = config.picture, config.views, config.latent, config.keypoints
    request = EncoderRequest(*sizes, named.options, config.entities)
    return make_encoder(named, request)


def unroll(
    predictor: AnyPredictor, latent: Tensor, proprio: Tensor, actions: Tensor, before: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Apply `predictor` action after action; shapes as in `WorldModel.rollout`."""
    latents, proprios = [], []
    for step in range(actions.shape[1]):
        following, proprio = predictor(latent, proprio, actions[:, step], before)
        before, latent = latent, following
        latents.append(latent)
        proprios.append(proprio)
    return torch.stack(latents, dim=1), torch.stack(proprios, dim=1)
