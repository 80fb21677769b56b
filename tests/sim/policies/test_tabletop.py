from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from robot.arm.interface import ObjectPose, Vector
from robot.arm.rotations import rotation_matrix
from robot.dataset.format.columns import ABSENT_BELOW_M
from robot.embodiment.actions import TABLETOP
from robot.embodiment.proprioception import GRASPING_STATE_NAMES
from robot.embodiment.tool_displacement import ToolDisplacement
from sim.play.episode import Columns, play_episode, play_features
from sim.policies.interface import Start, standing
from sim.policies.tabletop import Aim, TabletopPolicy, turned
from sim.policies.tabletop_starts import SPECS, TABLE_LOWER, TABLE_UPPER, random_start, start_of_play
from sim.tasks.environments import TABLETOP_PLAY
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep
from sim.world.scene import GRASPABLE, present
from tests.soak import often

SIZE = 32
BLOCKS = 50
EPISODES = often(9, 48)
CAREFUL = 0.02
NAMES = [thing.name for thing in GRASPABLE]
WIDTH, COMMAND = (GRASPING_STATE_NAMES.index(name) for name in ("gripper.width", "gripper.command"))
Doing = Callable[[TabletopPolicy], Iterator[Aim]]


@pytest.fixture(scope="module")
def world() -> Iterator[LockStep]:
    world = TABLETOP_PLAY.world(TABLETOP_PLAY.camera(SIZE, SIZE))
    yield world
    world.close()


@pytest.fixture(scope="module")
def episodes(world: LockStep) -> list[Columns]:
    return [play_episode(world, TABLETOP_PLAY, np.random.default_rng(seed), BLOCKS) for seed in range(EPISODES)]


class Table:
    """A hand that does one skill after another, with care, and what came of it."""

    def __init__(self, world: LockStep, objects: list[ObjectPose], seed: int = 0) -> None:
        self.world = world
        self.policy = TabletopPolicy(np.random.default_rng(seed), TABLETOP, noise=CAREFUL)
        self.runner = BlockRunner(world, TABLETOP)
        self.runner.reset(TABLETOP.start(np.array([0.45, 0.0, 0.2])), objects)

    def do(self, skill: Iterator[Aim]) -> None:
        self.policy.begin(skill)
        while (action := self.policy.next_action(self.runner.target, self.objects())) is not None:
            self.runner.run_block(action)
        for _ in range(2):
            self.runner.run_block(np.zeros(5))
        assert self.policy.next_action(self.runner.target, self.objects()) is None  # it sees what came of it

    def objects(self) -> list[ObjectPose]:
        return [item for item in self.world.scene.objects() if present(item)]

    def place(self, name: str) -> Vector:
        return next(np.asarray(item.position) for item in self.objects() if item.name == name)


def upright(name: str, x: float, y: float, yaw: float = 0.4) -> ObjectPose:
    return standing(name, (x, y, SPECS[name].rest_height), yaw)


def lifted(columns: Columns, name: str) -> np.ndarray:
    """In which rows an object is well off the table."""
    return columns[f"privileged.{name}"][:, 2] > SPECS[name].rest_height + 0.03


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("yaw", [0.0, 0.7, 1.5])
def test_each_object_can_be_picked_carried_and_put_down(world: LockStep, name: str, yaw: float) -> None:
    table = Table(world, [upright(name, 0.5, -0.1, yaw)])
    table.do(table.policy.pick(name, 0.002))
    assert table.policy.held == name and table.place(name)[2] > SPECS[name].rest_height + 0.02
    assert world.observe().state[WIDTH] > 0.03 > world.observe().state[COMMAND] == 0.0
    table.do(table.policy.place(name, np.array([0.55, 0.1]), 0.2))
    assert table.policy.held is None
    np.testing.assert_allclose(table.place(name), (0.55, 0.1, SPECS[name].rest_height), atol=0.015)


@pytest.mark.parametrize("seed", [3, 7, 12, 14])
def test_a_lying_cylinder_can_be_picked_and_put_down_lying(world: LockStep, seed: int) -> None:
    name, radius = "yellow_cylinder", SPECS["yellow_cylinder"].size[0] / 2
    table = Table(world, [lying(seed)])
    assert table.place(name)[2] == pytest.approx(radius, abs=1e-3)
    where = table.place(name)[:2]
    table.do(table.policy.pick(name, 0.002))
    assert table.policy.held == name and table.place(name)[2] > radius + 0.02
    table.do(table.policy.place(name, where, 0.0))
    assert table.policy.held is None and table.place(name)[2] == pytest.approx(radius, abs=0.005)


def lying(seed: int) -> ObjectPose:
    """A cylinder that lies within the hand's reach, turned at random."""
    rng = np.random.default_rng(seed)
    while True:
        for item in start_of_play(rng, TABLETOP).objects:
            if abs(rotation_matrix(item.orientation)[2, 2]) < 0.1 and item.position[0] < 0.56:
                return item


def test_some_cylinders_lie_when_play_begins_and_none_in_a_goals_start() -> None:
    def share(start: Callable[[np.random.Generator, ToolDisplacement], Start]) -> float:
        starts = [start(np.random.default_rng(seed), TABLETOP) for seed in range(300)]
        cylinders = [item for each in starts for item in each.objects if SPECS[item.name].shape == "cylinder"]
        return float(np.mean([abs(rotation_matrix(item.orientation)[2, 2]) < 0.1 for item in cylinders]))

    assert share(random_start) == 0.0 and 0.08 < share(start_of_play) < 0.2


@pytest.mark.parametrize(("top", "below"), [("red_cube", "blue_box"), ("yellow_cylinder", "red_cube")])
def test_one_object_can_be_put_upon_another(world: LockStep, top: str, below: str) -> None:
    table = Table(world, [upright(top, 0.5, -0.1), upright(below, 0.52, 0.08)])
    table.do(table.policy.pick(top, 0.002))
    table.do(table.policy.stack(top, below))
    offset = table.place(top) - table.place(below)
    assert np.linalg.norm(offset[:2]) < 0.015
    assert offset[2] == pytest.approx(SPECS[top].rest_height + SPECS[below].rest_height, abs=0.005)


def test_a_grasp_that_misses_on_purpose_leaves_an_empty_gripper_closed(world: LockStep) -> None:
    table = Table(world, [upright("yellow_cylinder", 0.5, 0.0)])
    missed = 0
    for seed in range(6):
        table = Table(world, [upright("yellow_cylinder", 0.5, 0.0)], seed)
        table.do(table.policy.pick("yellow_cylinder", 0.05))
        missed += table.policy.held is None and world.observe().state[WIDTH] < 0.01
    assert missed >= 4


def test_what_is_let_go_of_falls(world: LockStep) -> None:
    table = Table(world, [upright("red_cube", 0.5, 0.0)])
    table.do(table.policy.pick("red_cube", 0.002))
    table.do(table.policy.release())
    assert table.policy.held is None and table.place("red_cube")[2] < 0.03


def test_pushing_moves_an_object_along_the_table(world: LockStep) -> None:
    moved = 0
    for seed in range(6):
        table = Table(world, [upright("blue_box", 0.5, 0.0)], seed)
        table.do(table.policy.push("blue_box"))
        way = table.place("blue_box") - [0.5, 0.0, SPECS["blue_box"].rest_height]
        moved += bool(np.linalg.norm(way[:2]) > 0.03) and abs(way[2]) < 0.005
    assert moved >= 4


def test_whoever_leaves_is_out_of_the_picture(world: LockStep) -> None:
    table = Table(world, [upright("red_cube", 0.5, 0.0)])
    table.do(table.policy.leave())
    gone = world.picture()
    world.reset(TABLETOP, TABLETOP.start(np.array([0.38, -0.2, 0.34])), [upright("red_cube", 0.5, 0.0)])
    assert (np.abs(gone.astype(int) - world.picture()).max(-1) > 40).mean() < 0.01


def test_an_episode_has_every_feature_in_its_shape(episodes: list[Columns]) -> None:
    features = play_features(TABLETOP_PLAY, TABLETOP_PLAY.camera(SIZE, SIZE), video=False)
    for columns in episodes:
        assert set(columns) == set(features)
        for name, feature in features.items():
            shape = () if feature.shape == (1,) else feature.shape
            assert columns[name].shape == (BLOCKS + 1, *shape) and np.isfinite(columns[name]).all()
        assert np.abs(columns["action"]).max() <= 1.0 and (columns["action"][[0, -1]] == 0).all()
        assert set(np.unique(columns["action"][1:-1, 4])) <= {-1.0, 1.0}


def test_what_was_meant_stands_beside_what_was_done(episodes: list[Columns]) -> None:
    apart = np.concatenate([(columns["action"] - columns["intention"])[1:-1] for columns in episodes])
    assert (apart[:, 4] == 0).all(), "noise opens and closes no gripper"
    # Stumbles go anywhere; most blocks are about as they were meant.
    assert 0.01 < np.median(np.abs(apart[:, :4])) < 0.15 and np.abs(apart).max() > 0.8
    meant = np.concatenate([columns["intention"] for columns in episodes])
    assert np.abs(meant).max() <= 1.0


@pytest.mark.soak
def test_play_grasps_lifts_misses_and_closes_on_nothing(episodes: list[Columns]) -> None:
    """What a planner would otherwise take for possible, or for impossible."""
    seen: Counter[str] = Counter()
    for columns in episodes:
        state = columns["observation.state"]
        closed = (state[:, COMMAND] < 0.01) & (np.arange(len(state)) > 2)
        seen["empty"] += int((closed & (state[:, WIDTH] < 0.01)).sum())
        seen["full"] += int((closed & (state[:, WIDTH] > 0.03)).sum())
        for name in NAMES:
            if columns[f"privileged.{name}"][0, 2] > 0:
                up = lifted(columns, name)
                seen["pickups"] += int((np.diff(up.astype(int)) == 1).sum())
                seen["put down"] += int((np.diff(up.astype(int)) == -1).sum())
                moved = np.linalg.norm(np.diff(columns[f"privileged.{name}"][:, :3], axis=0), axis=1) > 1e-3
                seen["moved"] += int(moved.sum())
                seen["rested"] += int((~moved).sum())
    assert seen["pickups"] > 0.7 * EPISODES and seen["put down"] > 0.5 * EPISODES
    assert seen["empty"] > 0.05 * EPISODES * BLOCKS and seen["full"] > 0.05 * EPISODES * BLOCKS
    assert 0.1 < seen["moved"] / (seen["moved"] + seen["rested"]) < 0.6


def test_one_to_three_objects_are_on_the_table_and_they_stay_there(episodes: list[Columns]) -> None:
    counts: Counter[int] = Counter()
    for columns in episodes:
        heights = np.stack([columns[f"privileged.{name}"][:, 2] for name in NAMES])
        there = heights[:, 0] > ABSENT_BELOW_M
        counts[int(there.sum())] += 1
        # A hand that comes down on something presses it a little into the table.
        assert (heights[there] > -0.03).all() and (heights[~there] < ABSENT_BELOW_M).all()
    assert set(counts) == {1, 2, 3}


def test_an_episode_depends_on_its_seed_alone(episodes: list[Columns]) -> None:
    fresh = TABLETOP_PLAY.world(TABLETOP_PLAY.camera(SIZE, SIZE))
    try:
        for seed in (EPISODES - 1, 3):
            again = play_episode(fresh, TABLETOP_PLAY, np.random.default_rng(seed), BLOCKS)
            for name, column in episodes[seed].items():
                np.testing.assert_array_equal(again[name], column)
    finally:
        fresh.close()


def test_episodes_begin_with_objects_apart_and_the_tool_clear_of_them() -> None:
    rng = np.random.default_rng(0)
    towers = 0
    for _ in range(300):
        start = random_start(rng, TABLETOP)
        places = [np.asarray(item.position) for item in start.objects]
        for place in places:
            assert (place[:2] >= TABLE_LOWER).all() and (place[:2] <= TABLE_UPPER).all()
            assert np.linalg.norm(place - start.tool.position) > 0.05
        for index, place in enumerate(places):
            for other in places[:index]:
                upon = float(np.linalg.norm(place[:2] - other[:2])) < 1e-9
                towers += upon
                assert upon or np.linalg.norm(place[:2] - other[:2]) > 0.08
    assert 5 < towers < 100


@pytest.mark.parametrize("yaw", [-3.0, -1.0, 0.0, 0.5, 2.0])
def test_the_yaw_of_a_pose_is_that_it_was_given(yaw: float) -> None:
    assert turned(upright("red_cube", 0.5, 0.0, yaw)) == pytest.approx(yaw)
