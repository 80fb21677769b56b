from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zmq

from perception.camera.interface import CameraOptions
from perception.camera.subscriber import FrameSubscriber, ReceivedFrame
from robot import registry
from robot.arm.interface import ObjectPose
from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import PLANAR_PUSH
from robot.errors import CameraError, ConfigurationError
from robot.wire import sockets
from robot.wire.camera_spec import CameraSpec
from robot.wire.keyring import Role
from robot.wire.limits import MAX_MESSAGE_BYTES
from robot.wire.messages import JointState, SceneState, Waypoint, encode
from robot.wire.subscription import Subscription
from sim.policies.push import cube_pose
from sim.world.camera import SimulatedCamera, make_camera
from sim.world.cameras import front_camera
from sim.world.lockstep import LockStep
from sim.world.panda import panda_spec
from sim.world.scene import EVERYTHING, Scene
from tests.commands import running
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options
from tests.sim.execution.process_table import ANY_PORT, PATIENCE_S, SimulatedDriver, camera_arguments, simulated_driver

HOME = panda_spec().home


@pytest.fixture(scope="module")
def driver() -> Iterator[SimulatedDriver]:
    with simulated_driver() as driver:
        yield driver


class Publisher:
    """Publishes scenes as a driver does, at the test's pace."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = sockets.make(self._context, zmq.XPUB, 100)
        self.address = sockets.bind(self._socket, ANY_PORT, Role.WATCH, MAX_MESSAGE_BYTES)

    def wait_for_subscriber(self) -> None:
        assert self._socket.poll(5000), "no one subscribed"
        self._socket.recv()

    def send(self, scene: SceneState) -> None:
        self._socket.send_multipart([b"scene", encode(scene, 0, time.monotonic_ns())])

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


def scene_state(time_ns: int, centre: tuple[float, float] = (0.5, 0.0), **other: object) -> SceneState:
    fields = {"epoch": 0, "joints": HOME, "gripper_width": 0.0, "objects": (cube_pose(np.array(centre), 0.0),)}
    return SceneState(time_ns=time_ns, **{**fields, **other})  # type: ignore[arg-type]


def measured(state: JointState) -> SceneState:
    """The scene of an arm that has none."""
    return SceneState(state.time_ns, 0, state.measured, state.gripper_width, ())


def subscribed(publisher: Publisher) -> SimulatedCamera:
    """A camera that follows `publisher` and has seen nothing yet; it gave up waiting for a first scene."""
    camera = SimulatedCamera(front_camera(64, 48), publisher.address, start_patience_s=0.01)
    with pytest.raises(CameraError, match="no scene to draw"):
        camera.start()
    return camera


def drawn(scene: SceneState, camera: CameraSpec) -> np.ndarray:
    """What a fresh world shows when set to `scene`."""
    world = Scene()
    try:
        world.set_arm(np.asarray(scene.joints), scene.gripper_width)
        world.place(scene.objects)
        return world.render(camera)
    finally:
        world.close()


# ------------------------------------------------------------------ with a real driver, as processes


@pytest.mark.real_time  # a reader that gets no processor misses scenes
def test_pictures_show_the_driver_s_world_at_the_instant_they_say(driver: SimulatedDriver) -> None:
    with (
        running(*camera_arguments(driver.state)) as camera,
        FrameSubscriber(camera.endpoint) as frames,
        Subscription(driver.state, b"scene", SceneState, keep=5000) as scenes,
        driver.client() as client,
    ):
        frames.latest(PATIENCE_S)
        client.acquire("test", 5.0)
        client.place_objects([cube_pose(np.array([0.56, 0.08]), 0.5)])
        frames.newer_than(time.monotonic_ns(), PATIENCE_S)  # a picture of before may still be on its way
        move_about(client.send_waypoints)
        received: list[ReceivedFrame] = []
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            received.append(frames.latest(PATIENCE_S))
            scenes.drain()
        scenes.drain()
        published = {scene.time_ns: scene for scene in scenes.history}
    times = [frame.time_ns for frame in received]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert len(received) > 60  # 125 on a machine with time to spare
    assert np.ptp([published[time_ns].joints[0] for time_ns in times]) > 0.1, "the arm should have moved"
    assert len({published[time_ns].epoch for time_ns in times}) == 1
    assert received[0].camera == front_camera(64, 48)
    mirror = Scene(EVERYTHING)
    for frame in received:
        scene = published[frame.time_ns]
        mirror.set_arm(np.asarray(scene.joints), scene.gripper_width)
        mirror.place(scene.objects)
        np.testing.assert_array_equal(frame.image, mirror.render(frame.camera))
    mirror.close()


def move_about(send) -> None:  # type: ignore[no-untyped-def]
    """Send the arm down to the table and along it, for two seconds and a half."""
    spec = panda_spec()
    kinematics = Kinematics(spec)
    now_ns = time.monotonic_ns()
    posture = np.asarray(spec.home)
    waypoints = []
    for index, place in enumerate([(0.5, 0.1, 0.2), (0.5, 0.15, 0.1), (0.52, 0.0, 0.1), (0.5, -0.12, 0.1)]):
        posture = kinematics.inverse(PLANAR_PUSH.pose(PLANAR_PUSH.start(np.array(place))), posture)
        waypoints.append(Waypoint(now_ns + (index + 1) * 600_000_000, tuple(posture.tolist()), 0.02))
    send(waypoints)


def test_pictures_are_fresh_and_keep_the_rate(driver: SimulatedDriver) -> None:
    with running(*camera_arguments(driver.state, rate_hz=25.0)) as camera, FrameSubscriber(camera.endpoint) as frames:
        first = frames.latest(PATIENCE_S)
        ages = []
        for _ in range(30):
            last = frames.latest(PATIENCE_S)
            ages.append((time.monotonic_ns() - last.time_ns) * 1e-9)
        status, out, _ = camera.end(signal.SIGINT)
    assert status == 130 and "pictures sent" in out
    assert np.median(ages) < 0.1  # 10 ms on a machine with time to spare
    rate_hz = (last.index - first.index) / ((last.time_ns - first.time_ns) * 1e-9)
    assert 12.0 < rate_hz < 26.0


def test_it_may_be_started_before_the_driver() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with running(*camera_arguments(address, view="side")) as camera, FrameSubscriber(camera.endpoint) as frames:
        time.sleep(1.0)
        with simulated_driver(address):
            assert frames.latest(PATIENCE_S).camera.name == "side"


@pytest.mark.parametrize("asks", [False, True], ids=["state address", "command address"])
def test_a_driver_that_ends_is_told_in_one_line_and_drawn_again_when_it_is_back(asks: bool) -> None:
    with simulated_driver() as driver:
        words = camera_arguments(driver.state)
        if asks:
            at = words.index("--state-address")
            words[at : at + 2] = ["--command-address", driver.command]
        with running(*words) as camera, FrameSubscriber(camera.endpoint) as frames:
            frames.latest(PATIENCE_S)
            driver.process.end(signal.SIGINT)
            ended_ns = time.monotonic_ns()
            assert camera.process.stdout is not None
            away = camera.process.stdout.readline()
            told = f"camera front is away: the driver at {driver.command if asks else driver.state} has ended"
            assert away.startswith(told) and away.count("; retrying until it is back") == 1
            with pytest.raises(CameraError):
                frames.newer_than(ended_ns, 0.5)
            state = ANY_PORT if asks else driver.state
            with simulated_driver(state, driver.command) as again:
                assert (again.state != driver.state) == asks
                assert frames.newer_than(ended_ns, PATIENCE_S).camera.name == "front"
                assert camera.process.stdout.readline().startswith("camera front is back after")
            status, out, err = camera.end(signal.SIGINT)
    assert status == 130 and "pictures sent" in out
    assert [line for line in err.splitlines() if not line.startswith("pybullet build time")] == [
        "worldarm: interrupted"
    ]


def test_a_driver_that_comes_back_with_another_arm_is_not_drawn(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(start=HOME)) as driver:
        words = camera_arguments(driver.state)
        at = words.index("--state-address")
        words[at : at + 2] = ["--command-address", driver.command]
        with running(*words) as camera, FrameSubscriber(camera.endpoint) as frames:
            frames.latest(PATIENCE_S)
            driver.kill()
            with DriverProcess(tmp_path, Options(start=HOME, named="crane"), command=driver.command):
                status, out, err = camera.end()
    assert status == 1 and "pictures sent" in out
    assert "now runs the arm 'crane' with 7 joints, and this began with 'panda'" in err


def test_an_arm_without_a_scene_is_drawn_as_it_is_measured(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(start=HOME), "bare") as driver, driver.client() as client:
        camera = SimulatedCamera(front_camera(64, 48), driver.state)
        try:
            camera.start()
            first = camera.read(5.0)
            state = client.state_near(first.time_ns)
            np.testing.assert_array_equal(first.image, drawn(measured(state), camera.spec))
            client.acquire("test", 10.0)
            place = np.array(state.governed)
            place[0] += 0.4
            client.send_waypoints(
                [Waypoint(time.monotonic_ns() + 1_000_000_000, tuple(place.tolist()), state.gripper_command)]
            )
            until(lambda: client.state(5.0).measured[0] > state.measured[0] + 0.39)
            later = camera.read(5.0)
            while later.time_ns < client.state(5.0).time_ns - 20_000_000:
                later = camera.read(5.0)
            np.testing.assert_array_equal(later.image, drawn(measured(client.state_near(later.time_ns)), camera.spec))
            assert (later.image != first.image).any(axis=2).mean() > 0.01
        finally:
            camera.close()


# ------------------------------------------------------------------ by itself


def test_it_is_found_by_its_name_and_names_its_views() -> None:
    assert registry.load(registry.CAMERAS, "sim") is make_camera
    assert make_camera(CameraOptions(width=80, height=60)).spec == front_camera(80, 60)
    with pytest.raises(ConfigurationError, match="no camera called 'wrist'; it has front, tabletop, side"):
        make_camera(CameraOptions(name="wrist"))


def test_the_mirror_shows_what_the_stepped_world_shows() -> None:
    world = LockStep(front_camera(64, 64))
    try:
        start, end = (PLANAR_PUSH.start(np.array(place)) for place in ((0.45, -0.06, 0.045), (0.468, -0.042, 0.045)))
        world.reset(PLANAR_PUSH, start, [cube_pose(np.array([0.5, 0.0]), 0.4)])
        seed = world.setpoint_joints()
        world.send(PLANAR_PUSH.block(world.kinematics, start, end, seed, 10_000_000))
        for time_ms in range(0, 400, 40):
            world.run_until(time_ms * 1_000_000)
            positions, _, width = world.scene.joints()
            scene = SceneState(world.time_ns, 0, positions, width, world.scene.objects())
            difference = np.abs(drawn(scene, world.camera).astype(int) - world.picture())
            # The fingers may stand a hair off centre while they move; the mirror has them even.
            assert (difference.max(axis=2) > 8).mean() < 0.002
    finally:
        world.close()


def test_the_newest_scene_is_drawn_and_the_others_are_left_out(publisher: Publisher) -> None:
    camera = subscribed(publisher)
    try:
        publisher.wait_for_subscriber()
        for time_ns, centre in enumerate([(0.45, -0.1), (0.5, 0.0), (0.55, 0.1)], start=10):
            publisher.send(scene_state(time_ns, centre))
        picture = camera.read(5.0)
        while picture.time_ns < 12:  # the first may have come alone
            picture = camera.read(5.0)
        np.testing.assert_array_equal(picture.image, drawn(scene_state(12, (0.55, 0.1)), camera.spec))
        publisher.send(scene_state(20, (0.6, 0.1)))
        assert camera.read(5.0).time_ns == 20
    finally:
        camera.close()


def test_without_a_newer_scene_it_says_that_the_driver_stopped(publisher: Publisher) -> None:
    camera = subscribed(publisher)
    try:
        publisher.wait_for_subscriber()
        with pytest.raises(CameraError, match=r"no scene to draw from .*`worldarm driver --arm sim`"):
            camera.read(0.05)
        publisher.send(scene_state(10))
        assert camera.read(5.0).time_ns == 10
        publisher.send(scene_state(10, (0.6, 0.1)))  # not newer
        began = time.monotonic()
        with pytest.raises(CameraError, match="has ended, or publishes no scene any more"):
            camera.read(0.1)
        assert 0.1 <= time.monotonic() - began < 2.0
        publisher.send(scene_state(11))
        assert camera.read(5.0).time_ns == 11  # and it goes on when the driver does
    finally:
        camera.close()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"joints": HOME[:6]}, "an arm of 6 joints"),
        ({"objects": (ObjectPose("ball", (0.5, 0.0, 0.03), (0.0, 0.0, 0.0, 1.0)),)}, "no object named ball here"),
    ],
)
def test_a_scene_that_it_cannot_mirror_is_told(publisher: Publisher, other: dict[str, object], said: str) -> None:
    camera = subscribed(publisher)
    try:
        publisher.wait_for_subscriber()
        publisher.send(scene_state(10, **other))  # type: ignore[arg-type]
        with pytest.raises(CameraError, match=said):
            camera.read(5.0)
    finally:
        camera.close()


def test_it_is_not_read_before_its_start_and_closing_it_is_harmless() -> None:
    camera = make_camera(CameraOptions())
    with pytest.raises(CameraError, match="is not started"):
        camera.read(0.1)
    camera.close()
    camera.close()


def test_an_address_elsewhere_is_refused() -> None:
    camera = make_camera(CameraOptions(state_address="tcp://192.168.0.2:5551"))
    with pytest.raises(ConfigurationError, match="no key of"):
        camera.start()
    camera.close()
