from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import tyro

from control.decision_config import CostConfig, DecisionConfig, SearchConfig, default_decision_config, with_changes
from control.decision_options import DecisionOptions, explicit_settings
from control.model.trained_model import TrainedModel, load_trained, save_trained
from control.policies import make_agent
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from robot.errors import CheckpointError, ConfigurationError
from tests.tiny import card, parts

DEFAULTS = {
    False: {
        "search": (64, 6, 2, 0.5, 1),
        "costs": (0.02, 0.3, 0.0, 0.0, 1.0, 0.0),
        "below": (0.0, 0.0),
        "goal_detection": (0.7, 2, 2, 0.06, 3.0, 0.2),
    },
    True: {
        "search": (24, 16, 1, 0.75, 4),
        "costs": (0.02, 0.3, 1.0, 15.0, 1.0, 0.0),
        "below": (0.5, 2.0),
        "goal_detection": (0.7, 2, 6, 0.06, 3.0, 0.2),
    },
}


@pytest.mark.parametrize("binary", [False, True])
def test_cards_that_name_nothing_decide_as_they_always_did(binary: bool) -> None:
    made = default_decision_config(binary)
    search, stages = made.search, made.stages
    assert DEFAULTS[binary] == {
        "search": (search.samples, search.horizon, search.iterations, search.proposals, search.critic_stride),
        "costs": msgspec.structs.astuple(made.costs),
        "below": (stages.approach_below, stages.fine_below),
        "goal_detection": msgspec.structs.astuple(made.goal_detection),
    }
    assert made.unguided_search == SearchConfig()
    assert stages.approach_search == SearchConfig(samples=96, horizon=2, iterations=4, std=0.25, min_std=0.01)
    assert msgspec.structs.astuple(made.subgoals) == (30, 12.0, 1.0, 3, 3, 3.0, 1.0)
    assert made.motion.stay_for_gripper == 0
    assert stages.fine_goal_distance_weight == 100.0


def test_with_entities_the_goal_is_judged_by_where_the_things_are_more_than_by_the_hand() -> None:
    for binary in (False, True):
        flat, entities = default_decision_config(binary), default_decision_config(binary, has_entities=True)
        changes = {
            "search": {"samples": flat.search.samples, "horizon": flat.search.horizon},
            "costs": {"disturbance_weight": 0.0},
            "motion": {"stay_for_gripper": 0},
            "stages": {"fine_goal_distance_weight": 100.0},
            "goal_detection": {"near": 3.0, "doubting": flat.goal_detection.doubting},
        }
        assert with_changes(entities, changes) == flat != entities


def test_the_shipped_cards_decide_as_they_always_did() -> None:
    for name, is_tabletop in (("push", False), ("tabletop", True)):
        usual = default_decision_config(is_tabletop, has_entities=is_tabletop)
        assert load_trained(PRETRAINED_FOLDER / name).decision_config == usual


def test_only_what_is_given_changes() -> None:
    base = default_decision_config(True)
    made = with_changes(base, {"search": {"samples": 32}, "stages": {"approach_search": {"std": 0.1}}})
    assert made.search == msgspec.structs.replace(base.search, samples=32)
    assert made.stages.approach_search == msgspec.structs.replace(base.stages.approach_search, std=0.1)
    assert (made.costs, made.goal_detection, made.subgoals) == (base.costs, base.goal_detection, base.subgoals)
    assert with_changes(base, {}) == base


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": {"samples": 3}}, "--decision.search.samples: Expected `int` >= 4"),
        ({"search": {"proposals": 0.99}}, "--decision.search: proposals is 0.99"),
        ({"goal_detection": {"near": float("nan")}}, "--decision.goal-detection.near"),
        ({"costs": {"path_weight": -1.0}}, "--decision.costs.path-weight: Expected `float` >= 0.0"),
        ({"costs": {"path_weight": float("inf")}}, "--decision.costs: path-weight is inf"),
        ({"stages": {"approach_search": {"horizon": 0}}}, "--decision.stages.approach-search.horizon"),
        ({"search": {"sampels": 3}}, "unknown field `sampels`"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_option(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_changes(DecisionConfig(), changes)
    assert said in str(caught.value)


def test_the_settings_check_themselves() -> None:
    with pytest.raises(ConfigurationError, match="samples is 2"):
        SearchConfig(samples=2)
    with pytest.raises(ConfigurationError, match=r"prior-weight is -0\.1"):
        msgspec.structs.replace(CostConfig(), prior_weight=-0.1)


def test_a_card_says_how_its_model_decides(tmp_path: Path) -> None:
    says = {"search": {"samples": 8, "horizon": 2}, "goal_detection": {"settled": 4}}
    save_trained(tmp_path, TrainedModel(msgspec.structs.replace(card(), decision=says), parts()))
    loaded = load_trained(tmp_path)
    assert (loaded.decision_config.search.samples, loaded.decision_config.search.horizon) == (8, 2)
    assert loaded.decision_config.goal_detection.settled == 4 and loaded.decision_config.costs == CostConfig()
    assert make_agent(loaded).name == "full"


@pytest.mark.parametrize("says", [{"search": {"samples": 1}}, {"serch": {}}, {"costs": {"path_weight": "much"}}])
def test_a_card_that_says_what_cannot_be_is_refused(tmp_path: Path, says: dict[str, Any]) -> None:
    save_trained(tmp_path, TrainedModel(msgspec.structs.replace(card(), decision=says), parts()))
    with pytest.raises(CheckpointError, match=r"invalid decision setting: .*; train again or correct"):
        load_trained(tmp_path)


def test_every_setting_has_an_option_whose_help_says_what_is_usual(capsys: pytest.CaptureFixture[str]) -> None:
    def command(decision: DecisionOptions = DecisionOptions()) -> dict[str, Any]:
        """A command."""
        return explicit_settings(decision)

    assert tyro.cli(command, args=[]) == {}
    words = ["--decision.search.samples", "32", "--decision.stages.approach-search.method", "mppi"]
    assert tyro.cli(command, args=words) == {
        "search": {"samples": 32},
        "stages": {"approach_search": {"method": "mppi"}},
    }
    with pytest.raises(SystemExit):
        tyro.cli(command, args=["--help"])
    shown = capsys.readouterr().out
    for group, settings in msgspec.to_builtins(DecisionConfig()).items():
        for name in settings:
            assert f"--decision.{group}.{name}".replace("_", "-") in shown
    assert "usually 64; 24 with a gripper" in shown
