from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from control.goals.moves import Move, Mover
from perception.checkpoint.card import HeadsConfig
from perception.model.encoders import EncoderConfig
from perception.model.entities.places import places_of
from perception.model.keypoints import SPAN
from perception.model.world_model import WorldModel
from robot.embodiment.actions import TABLETOP
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.joint_displacement import JointDisplacement
from robot.embodiment.proprioception import STATE_NAMES
from robot.errors import CameraError, ConfigurationError, GoalError, ThingNotFound
from robot.wire.camera_spec import CameraSpec
from sim.policies.interface import standing
from sim.world.cameras import tabletop_camera, tabletop_rig
from sim.world.panda import panda_spec
from sim.world.scene import GRASPABLE, RED_CUBE, Scene
from tests.control.goals.colour_encoder import FEATURES, ColourEncoder
from tests.tiny import sized

SIDE = 64
PIXEL = 2 * SPAN / SIDE
RIG, ONE = tabletop_rig(SIDE, 2 * SIDE), tabletop_camera(SIDE, SIDE)
AWAY = np.array([1.8, -0.3, 0.0, -2.4, 0.0, 2.1, 0.785])
CUBE = next(thing for thing in (*GRASPABLE, RED_CUBE) if thing.name == "red_cube")
BOX = next(thing for thing in GRASPABLE if thing.name == "blue_box")
HERE, THERE, BOX_AT = (0.55, 0.08), (0.45, -0.06), (0.46, 0.02)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    made = Scene((CUBE, BOX))
    made.set_arm(AWAY, 0.0)
    yield made
    made.close()


def picture(scene: Scene, camera: CameraSpec, cube: tuple[float, float], above: float = 0.0) -> np.ndarray:
    """The picture with the cube here, as high as it rests or `above` that."""
    box = standing("blue_box", (*BOX_AT, BOX.rest_height), 0.0)
    scene.place([standing("red_cube", (*cube, CUBE.rest_height + above), 0.0), box])
    return scene.render(camera)


def mover(camera: CameraSpec, remembered: torch.Tensor | None = None) -> Mover:
    encoder = ColourEncoder(SIDE, SIDE, len(camera.views))
    config = sized(
        encoder.latent,
        len(STATE_NAMES),
        TABLETOP.size,
        height=camera.height,
        width_px=SIDE,
        views=len(camera.views),
        width=8,
        blocks=1,
        keypoints=0,
        entities=3,
        encoder=EncoderConfig("entities", {"features": "8"}),
    )
    model = WorldModel(config).eval()
    model.encoder = encoder
    described = EmbodimentDescription("panda-sim", camera, TABLETOP, STATE_NAMES)
    memory = torch.zeros(6, encoder.latent) if remembered is None else remembered
    return Mover(model, HeadsConfig(0.9, masked=True), described, memory)


def tokens(made: Mover, latent: torch.Tensor) -> torch.Tensor:
    return latent.unflatten(-1, (3, -1))


def seen(made: Mover, image: np.ndarray) -> torch.Tensor:
    """The places (K, V, 2) of the tokens of a picture."""
    latent = made.model.encode(torch.from_numpy(image[None]))[0]
    return places_of(tokens(made, latent), len(made.embodiment.camera.views))[..., :2]


@pytest.mark.parametrize("camera", [RIG, ONE], ids=["two views", "one view"])
def test_a_moved_thing_is_wanted_where_the_cameras_see_it_there(scene: Scene, camera: CameraSpec) -> None:
    made = mover(camera)
    goal = made.goal(picture(scene, camera, HERE), Move.of("red_cube", "0.45, -0.06", None))
    assert goal.wanted is not None and goal.wanted.tolist() == [1, 0, 0]
    wanted = places_of(tokens(made, goal.latent), len(camera.views))[..., :2]
    there, here = (seen(made, picture(scene, camera, place)) for place in (THERE, HERE))
    assert float((wanted[0] - there[0]).abs().max()) < 1.5 * PIXEL < float((here[0] - there[0]).abs().max()) / 4
    assert torch.equal(wanted[1:], here[1:])


@pytest.mark.parametrize("camera", [RIG, ONE], ids=["two views", "one view"])
def test_a_thing_is_wanted_on_another(scene: Scene, camera: CameraSpec) -> None:
    made = mover(camera)
    goal = made.goal(picture(scene, camera, HERE), Move.of("red_cube", None, "blue_box"))
    stacked = seen(made, picture(scene, camera, BOX_AT, 2 * BOX.rest_height))
    wanted = places_of(tokens(made, goal.latent), len(camera.views))[..., :2]
    assert float((wanted[0] - stacked[0]).abs().max()) < 2.5 * PIXEL


class Unbound(ColourEncoder):
    """The same, but in the second view red and blue are each held by the other's token."""

    def attention(self, clips: torch.Tensor) -> torch.Tensor:
        shares = super().attention(clips)
        return torch.stack([shares[:, :, 0], shares[:, (1, 0, 2), 1]], dim=2)


def test_a_thing_that_has_a_token_in_each_view_moves_in_both(scene: Scene) -> None:
    made = mover(RIG)
    made.model.encoder = Unbound(SIDE, SIDE, 2)
    goal = made.goal(picture(scene, RIG, HERE), Move("red", THERE))
    there, here = (seen(made, picture(scene, RIG, place)) for place in (THERE, HERE))
    wanted = places_of(tokens(made, goal.latent), 2)[..., :2]
    assert goal.wanted is not None and goal.wanted.tolist() == [1, 1, 0]
    for token in (0, 1):
        assert float((wanted[token, token] - there[token, token]).abs().max()) < 1.5 * PIXEL
        assert torch.equal(wanted[token, 1 - token], here[token, 1 - token]), "there, it holds the blue box"


def test_a_moved_thing_looks_as_things_are_remembered_there(scene: Scene) -> None:
    before = picture(scene, ONE, HERE)
    there, here = (seen(mover(ONE), picture(scene, ONE, place))[0] for place in (THERE, HERE))
    remembered = torch.zeros(8, 3, FEATURES + 3)
    for number, place in enumerate([there] * 4 + [here] * 4):
        remembered[number, 0, :FEATURES] = number
        remembered[number, 0, -3:-1] = place.flatten()
    made = mover(ONE, remembered.flatten(1))
    goal = made.goal(before, Move("red", THERE))
    torch.testing.assert_close(tokens(made, goal.latent)[0, :FEATURES], torch.full((FEATURES,), 1.5))


def test_what_no_arm_can_do_and_no_camera_sees_is_refused(scene: Scene) -> None:
    image, made = picture(scene, RIG, HERE), mover(RIG)
    joints = JointDisplacement.of(panda_spec())
    nowhere = msgspec.structs.replace(RIG, position=None)
    for who, move, error, said in (
        (made, Move("red", (0.7, 0.0)), GoalError, r"red at 0.7,0 would be at x 0.700, y 0.000 m, .* 0.38 to 0.62 and"),
        (made, Move("red", (0.61, 0.19)), GoalError, "which camera tabletop-rig does not see: choose a place"),
        (made, Move("green", (0.5, 0.0)), ThingNotFound, "nothing green is in the picture; seen are"),
        (made, Move("red", None, "green"), ThingNotFound, "nothing green"),
        (made, Move("red", None, "red_box"), GoalError, "the model sees red_box and red as one thing"),
        (changed(made, camera=nowhere), Move("red", (0.5, 0.0)), CameraError, "has no pose"),
        (changed(made, action=joints), Move("red", (0.5, 0.0)), GoalError, "do not move the tool in space"),
        (replace(made, remembered=torch.zeros(0, 42)), Move("red", (0.5, 0.0)), GoalError, "--heads.landmarks 512"),
        (replace(made, heads=HeadsConfig(0.9)), Move("red", (0.5, 0.0)), GoalError, "--heads.masks 0.65"),
    ):
        with pytest.raises(error, match=said):
            who.goal(image, move)


def changed(made: Mover, **changes: object) -> Mover:
    return replace(made, embodiment=msgspec.structs.replace(made.embodiment, **changes))


@pytest.mark.parametrize(
    ("to", "on", "said"),
    [
        (None, None, "needs either --to X,Y or --on THING"),
        ("0.4,0.1", "blue", "needs either"),
        *((to, None, "a place is two numbers") for to in ("0.4", "0.4,0.1,0", "a,b", "nan,0", "1e300,0", "", "9" * 99)),
    ],
)
def test_a_move_that_says_no_place_is_refused(to: str | None, on: str | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Move.of("red", to, on)


def test_a_move_is_said_in_words() -> None:
    assert str(Move.of("red_cube", "0.45,-0.1", None)) == "red_cube at 0.45,-0.1"
    assert str(Move.of("red", None, "blue_box")) == "red on blue_box"
