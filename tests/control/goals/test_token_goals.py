from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from control.goals.token_goals import only_things
from control.model.trained_model import TrainedModel
from control.policies import make_agent
from perception.checkpoint.card import HeadsConfig
from perception.model.encoders import EncoderConfig
from perception.model.world_model import WorldModel
from robot.embodiment.observation import Observation
from robot.errors import CheckpointError, GoalError, ThingNotFound
from tests.control.goals.colour_encoder import ColourEncoder
from tests.tiny import CAMERA, ENTITIES_OF_THREE, HEADS, critic_says, trained

MASKED = HeadsConfig(0.9, masked=True)
RED, BLUE = (217, 26, 26), (31, 64, 217)


def picture(red: int = 4, blue: int = 20) -> np.ndarray:
    """A red and a blue square that begin in these columns."""
    made = np.full((32, 32, 3), 120, np.uint8)
    made[4:12, red : red + 8], made[20:28, blue : blue + 8] = RED, BLUE
    return made


def seeing(heads: HeadsConfig = MASKED) -> TrainedModel:
    made = trained(config=ENTITIES_OF_THREE)
    made.parts.model.encoder = ColourEncoder(CAMERA.width, CAMERA.height)  # type: ignore[assignment]
    card = msgspec.structs.replace(made.card, heads=heads, block_change=1e-6)
    return TrainedModel(card, critic_says(made.parts))


@pytest.mark.parametrize(
    ("names", "wanted"), [(["red_cube"], [1, 0, 0]), (["blue"], [0, 1, 0]), (["blue", "red"], [1, 1, 0])]
)
def test_the_tokens_of_the_named_things_matter(names: list[str], wanted: list[int]) -> None:
    model = seeing().parts.model
    goal = only_things(model, MASKED, picture(), names)
    assert goal.wanted is not None and goal.wanted.tolist() == wanted
    torch.testing.assert_close(goal.latent, model.encode(torch.from_numpy(picture()[None]))[0])


def test_an_agent_is_done_when_the_named_thing_is_in_its_place() -> None:
    agent = make_agent(seeing(), "actor-only")
    assert agent.masks_goals
    state, still = np.zeros(ENTITIES_OF_THREE.proprio), np.zeros(ENTITIES_OF_THREE.action)

    def done(now: np.ndarray, *only: str) -> bool:
        agent.set_goals([picture()], only)
        return any(agent.decide(Observation({CAMERA.name: now}, state, 0), still).reached for _ in range(8))

    assert done(picture()) and done(picture(), "red")
    other = picture(blue=12)
    assert done(other, "red") and not done(other, "blue") and not done(other)


def test_a_decision_says_what_is_not_in_its_place() -> None:
    agent = make_agent(seeing(), "actor-only")
    state, still = np.zeros(ENTITIES_OF_THREE.proprio), np.zeros(ENTITIES_OF_THREE.action)

    def out(*only: str) -> tuple[str, ...]:
        agent.set_goals([picture()], only)
        return agent.decide(Observation({CAMERA.name: picture(8, 12)}, state, 0), still).out_of_place

    assert out() == ("red", "blue") and out("blue") == ("blue",)
    agent.set_goals([picture()])
    assert agent.decide(Observation({CAMERA.name: picture()}, state, 0), still).out_of_place == ()


def test_thing_by_thing_an_agent_goes_for_what_is_out_of_its_place() -> None:
    agent = make_agent(seeing(), "actor-only", subgoals="things")
    state, still = np.zeros(ENTITIES_OF_THREE.proprio), np.zeros(ENTITIES_OF_THREE.action)
    agent.set_goals([picture()])

    def after(now: np.ndarray) -> tuple[int, int]:
        decision = agent.decide(Observation({CAMERA.name: now}, state, 0), still)
        return decision.remaining_subgoals, len(decision.finished_subgoals)

    assert after(picture(8, 12)) == (1, 0)
    assert [after(picture(4, 12)) for _ in range(3)] == [(1, 0), (1, 0), (0, 1)], "it stays in its place"
    assert after(picture(4, 20)) == (0, 1)
    assert [after(picture(8, 12))] == [(1, 1)], "both are displaced again"
    agent.set_goals([picture()], ["red"])
    assert after(picture(8, 12)) == (0, 0), "only one of them matters"
    with pytest.raises(GoalError, match="takes one goal, and there are 2"):
        agent.set_goals([picture(), picture()])
    with pytest.raises(CheckpointError, match="cannot leave things out of a goal, so --subgoals things is impossible"):
        make_agent(trained(), subgoals="things")


def test_what_cannot_be_picked_out_is_refused() -> None:
    flat, tokens = trained(), trained(config=ENTITIES_OF_THREE)
    silent = seeing()
    silent.parts.model.encoder = torch.nn.Identity()  # type: ignore[assignment]
    for made, heads, said in (
        (flat, HEADS, "this one has a flat latent: train one with --sizes.entities 7 --heads.masks 0.65"),
        (tokens, HEADS, "never learnt goals of which only some things matter"),
        (silent, MASKED, "the encoder 'entities' does not say where its tokens look"),
    ):
        model: WorldModel = made.parts.model
        with pytest.raises(GoalError, match=said):
            only_things(model, heads, picture(), ["red"])
    with pytest.raises(ThingNotFound, match="nothing green is in the picture; seen are red, blue"):
        only_things(seeing().parts.model, MASKED, picture(), ["red", "green"])
    assert not make_agent(tokens).masks_goals and isinstance(ENTITIES_OF_THREE.encoder, EncoderConfig)
