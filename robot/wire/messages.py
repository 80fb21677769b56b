"""The wire protocol: every message that crosses a socket, as one tagged union with a schema version.

A message travels as MessagePack of `Envelope`: a schema version, the sender's sequence number, the sender's monotonic
clock and the body. Decoding is strict: unknown tags, missing, surplus or mistyped fields, another version and
non-finite numbers raise `WireError`, so no code behind this file ever receives them.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

import msgspec

from robot.arm.interface import ArmSpec, ObjectPose
from robot.errors import WireError
from robot.system.text import escape_fields, printable
from robot.wire.camera_spec import CameraSpec
from robot.wire.entity_mark import EntityMark
from robot.wire.limits import (
    MAX_MARKS,
    MAX_MESSAGE_BYTES,
    MAX_REASON_LENGTH,
    MAX_REQUEST_BYTES,
)

SCHEMA_VERSION = 1

P = TypeVar("P", bound="Published")
J = TypeVar("J", bound="JointState")


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all message bodies; the class name is the tag on the wire. `texts` names the fields that people read:
    what does not print in them is escaped."""

    texts: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        escape_fields(self, self.texts)


class Published(Message, frozen=True):
    """Base of the messages that are published on a topic: valid at the sender's monotonic `time_ns`."""

    time_ns: int

    def shifted(self: P, by_ns: int) -> P:
        """Return the message with all times later by `by_ns`: its times on the clock of a host that is `by_ns`
        ahead."""
        return msgspec.structs.replace(self, time_ns=self.time_ns + by_ns)


# ---------------------------------------------------------------- published by the driver


class JointState(Published, frozen=True):
    """The arm at one tick of the driver, published on the topic `state`.

    `time_ns` is the driver's monotonic capture time. `requested`, `governed` and `measured` are (n,) rad: the
    trajectory's set-point, the set-point that the governor admitted, and the arm's report before this tick;
    `governed_velocity` and `measured_velocity` are rad/s, `measured_effort` N·m, empty where the arm measures none.
    `clamps` names the limits for which the governor changed the set-point at this tick. `holder` is the name of the
    lease holder, empty when the lease is free. `active_until_ns` is the time of the last accepted waypoint, 0 when
    there is none; `set_point_ns` the time at which this tick's set-point was written to the arm.
    """

    texts: ClassVar[tuple[str, ...]] = ("mode", "clamps", "holder", "reason")

    tick: int
    mode: str
    requested: tuple[float, ...]
    governed: tuple[float, ...]
    measured: tuple[float, ...]
    governed_velocity: tuple[float, ...]
    measured_velocity: tuple[float, ...]
    measured_effort: tuple[float, ...]
    gripper_command: float
    gripper_width: float
    clamps: tuple[str, ...]
    holder: str
    active_until_ns: int
    set_point_ns: int
    reason: str

    def shifted(self: J, by_ns: int) -> J:
        """Return the state with all times later by `by_ns`."""
        return msgspec.structs.replace(
            self,
            time_ns=self.time_ns + by_ns,
            active_until_ns=self.active_until_ns and self.active_until_ns + by_ns,
            set_point_ns=self.set_point_ns + by_ns,
        )


class SceneState(Published, frozen=True):
    """The poses of the simulated objects, published on the topic `scene` by simulated arms only.

    The task's success check and the simulated camera use it; the agent does not subscribe to it. `epoch` increases each
    time the objects are placed. `joints` (n,) rad and `gripper_width` m let a mirror of the scene draw the arm at the
    same time.
    """

    epoch: int
    joints: tuple[float, ...]
    gripper_width: float
    objects: tuple[ObjectPose, ...]


# ---------------------------------------------------------------- requests to the driver


class SpecRequest(Message, frozen=True):
    """Ask for the arm's specification; answered by `Spec`."""


class AcquireLease(Message, frozen=True):
    """Acquire the lease as `holder`, with a time-to-live of `ttl_s` seconds; answered by `Lease` or `Refusal`."""

    texts: ClassVar[tuple[str, ...]] = ("holder",)

    holder: str
    ttl_s: float


class RenewLease(Message, frozen=True):
    """Extend the lease by its time-to-live; answered by `Lease` or `Refusal`."""

    token: str


class ReleaseLease(Message, frozen=True):
    """Give the lease back; the arm ramps to hold. Answered by `Done` or `Refusal`."""

    token: str


class Waypoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Be at `positions` (n,) rad, gripper `gripper_width` m wide, at the driver's monotonic `time_ns`."""

    time_ns: int
    positions: tuple[float, ...]
    gripper_width: float


class Waypoints(Message, frozen=True):
    """Move through these waypoints; answered by `Accepted` or `Refusal`.

    They replace every waypoint not yet reached that is not earlier than the first of them. `sequence` must increase
    with each command under one token. The command is refused when it arrives after `deadline_ns` (driver's monotonic
    clock). Accepting waypoints also renews the lease.
    """

    token: str
    sequence: int
    deadline_ns: int
    waypoints: tuple[Waypoint, ...]


class Stop(Message, frozen=True):
    """Ramp to rest now and stay stopped until `Reset`; no lease is needed."""

    texts: ClassVar[tuple[str, ...]] = ("reason",)

    reason: str


class Reset(Message, frozen=True):
    """Leave the mode stopped or fault; there is no other way out of it. Answered by `Done` or `Refusal`."""


class PlaceObjects(Message, frozen=True):
    """Put simulated objects at the given poses; refused by an arm without a scene and without the lease's token."""

    token: str
    objects: tuple[ObjectPose, ...]


# ---------------------------------------------------------------- answers of the driver


class Spec(Message, frozen=True):
    """The arm's specification, the address at which its driver publishes states, and whether it has a scene."""

    arm: ArmSpec
    state_address: str
    has_scene: bool


class Lease(Message, frozen=True):
    """The lease is granted: send `token` with each command, and renew the lease before `expires_ns`."""

    texts: ClassVar[tuple[str, ...]] = ("holder",)

    token: str
    holder: str
    expires_ns: int


class Accepted(Message, frozen=True):
    """The waypoints are accepted; `clamps` names the changes made to them. The set-point of `tick` is the first that
    they affect."""

    texts: ClassVar[tuple[str, ...]] = ("clamps",)

    sequence: int
    clamps: tuple[str, ...]
    tick: int


class Done(Message, frozen=True):
    """The request was carried out."""


class Refusal(Message, frozen=True):
    """The request was not carried out: `reason` is one of `REASONS`, `detail` says what is wrong and what to do."""

    texts: ClassVar[tuple[str, ...]] = ("reason", "detail")

    reason: str
    detail: str


REASONS = (
    "malformed",
    "not-allowed",
    "not-holder",
    "held-up",
    "held",
    "stale-sequence",
    "late",
    "bad-length",
    "not-finite",
    "out-of-limits",
    "out-of-workspace",
    "touches",
    "too-fast",
    "time-order",
    "stopped",
    "fault",
    "no-scene",
    "unknown-object",
    "bad-ttl",
)


# ---------------------------------------------------------------- published by cameras and the agent


class Frame(Published, frozen=True):
    """One picture of `camera`, published on the topic `frame`: `data` is (H, W, 3) RGB bytes when `encoding` is
    "rgb8", a JPEG file when it is "jpeg". `time_ns` is the monotonic capture time."""

    index: int
    camera: CameraSpec
    encoding: str
    data: bytes


class DecisionReport(Published, frozen=True):
    """One decision of the agent, published on the topic `decision`, so that viewers and recorders need no torch.

    `distance` is the critic's estimate of the blocks left to the goal or, while there are `subgoals_ahead`, to the next
    subgoal. `goal` and `imagined` are (H, W, 3) rgb8 bytes of `shape`, empty when not drawn. `action` is the normalised
    block action. `plan_ms` is the time to decide, and `capture_to_command_ms` the time from the frame's capture to the
    driver's answer. On the agent's clock, the frame was captured at `captured_ns` and received at `received_ns`, the
    agent decided at `decided_ns`, and the driver had answered at `accepted_ns`. `tick` is the driver's tick with the
    first set-point that follows the decision. `accepted_ns` and `tick` are 0 where nothing was sent. `camera` is the
    name of the agent's camera, and `entities` are the things that the agent has names for, if it sees things apart.
    """

    texts: ClassVar[tuple[str, ...]] = ("status", "camera")

    decision: int
    frame_index: int
    status: str
    distance: float
    subgoals_ahead: int
    cost: float
    action: tuple[float, ...]
    plan_ms: float
    capture_to_command_ms: float
    captured_ns: int
    received_ns: int
    decided_ns: int
    accepted_ns: int
    tick: int
    shape: tuple[int, int, int]
    goal: bytes
    imagined: bytes
    camera: str = ""
    entities: Annotated[tuple[EntityMark, ...], msgspec.Meta(max_length=MAX_MARKS)] = ()


RequestBody: TypeAlias = (
    SpecRequest | AcquireLease | RenewLease | ReleaseLease | Waypoints | Stop | Reset | PlaceObjects
)
Body: TypeAlias = (
    JointState | SceneState | RequestBody | Spec | Lease | Accepted | Done | Refusal | Frame | DecisionReport
)


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The encoded unit: schema version, sender's sequence number and monotonic clock, and the message."""

    version: int
    sequence: int
    sent_ns: int
    body: Body


class RequestEnvelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `Envelope` of a request."""

    version: int
    sequence: int
    sent_ns: int
    body: RequestBody


class _Version(msgspec.Struct):
    version: int


E = TypeVar("E", Envelope, RequestEnvelope)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)
_request_decoder = msgspec.msgpack.Decoder(RequestEnvelope)
_version_decoder = msgspec.msgpack.Decoder(_Version)


def encode(body: Body, sequence: int, sent_ns: int) -> bytes:
    """Return the bytes of a message."""
    return _encoder.encode(Envelope(SCHEMA_VERSION, sequence, sent_ns, body))


def decode(data: bytes) -> Envelope:
    """Return the message in `data`. Raises `WireError` for any invalid message."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"message of {len(data)} bytes is larger than the {MAX_MESSAGE_BYTES} allowed")
    return _checked(_decoder, data)


def decode_request(data: bytes) -> RequestEnvelope:
    """Return the request in `data`; no other message is decoded further than to its tag. Raises `WireError`."""
    if len(data) > MAX_REQUEST_BYTES:
        raise WireError(f"a request of {len(data)} bytes is larger than the {MAX_REQUEST_BYTES} allowed")
    return _checked(_request_decoder, data)


def _checked(decoder: msgspec.msgpack.Decoder[E], data: bytes) -> E:
    try:
        version = _version_decoder.decode(data).version
        if version != SCHEMA_VERSION:
            raise WireError(f"message of schema version {version}; this process speaks {SCHEMA_VERSION}")
        envelope = decoder.decode(data)
        finite = _finite(envelope.body)
    except (msgspec.DecodeError, ValueError, RecursionError, MemoryError) as error:
        raise WireError(f"malformed message: {printable(str(error), MAX_REASON_LENGTH)}") from error
    if not finite:
        raise WireError(f"{type(envelope.body).__name__} holds a number that is not finite")
    return envelope


def _finite(value: Any) -> bool:
    """Return whether every float in `value`, at any depth, is finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, tuple):
        return all(map(_finite, value))
    if isinstance(value, msgspec.Struct):
        return all(_finite(getattr(value, name)) for name in value.__struct_fields__)
    return True
