"""Every bound and timer of the wire in one place: how much others may send, and how long a process waits for them.

A process that others can reach has these bounds on each socket that it binds. The arm's own limits are in its
specification, and what the governor enforces is in `robot/motion/governor.py`.
"""

from __future__ import annotations

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest message that is decoded at all; a picture of 2048x2048 pixels has 12 MiB."""
MAX_REQUEST_BYTES = 16 * 1024
"""The largest request that a driver takes. Decoding this many bytes takes a tenth of a 250 Hz tick; the longest command
that is accepted has half of them."""
MAX_REQUEST_FRAME_BYTES = 64 * 1024
"""A larger frame to the command socket closes its sender's connection before memory is allocated for it."""
MAX_REQUEST_FRAMES = 6
"""The most frames of a request: its return address, at most four more, and the payload."""
MAX_SUBSCRIPTION_BYTES = 128
"""The largest frame that a watcher may send: a subscription to the longest topic has 9 bytes, the handshake 40."""
MAX_CURVE_HANDSHAKE_BYTES = 1024
"""The same with CURVE, whose handshake has frames of up to 500 bytes."""
MAX_SUBSCRIPTIONS = 256
"""The most topics that are subscribed to at once; more of them disconnect everyone, and who behaves reconnects."""
MAX_WAYPOINTS = 64
"""The most waypoints in one command; checking each takes about 15 µs of a tick, and 64 are seconds of motion."""
MAX_REASON_LENGTH = 200
"""Characters of a reason or of a refusal's detail."""
MAX_KEY_FILE_BYTES = 1024 * 1024
"""The largest list of keys; an entry has some 150 bytes."""
MAX_KEYS = 4096
"""The most entries in a list of keys."""
MAX_NAME_LENGTH = 64
"""Characters of a holder's or a camera's name."""
MAX_VIEWS = 8
"""The most cameras of a rig."""
MAX_PICTURE_SIDE = 8192
"""Pixels; the longest side of a picture that is decoded."""
MAX_MARKS = 32
"""The most things that are marked in a decision."""
MAX_PATH = 64
"""The most blocks of a plan along which a thing's path is shown."""

REQUESTS_A_TICK = 16
"""The most requests that the driver answers from one tick to the next."""
REQUEST_SHARE = 0.25
"""The share of each tick after which no further request is started in it."""

STALL_S = 0.1
"""A driver's loop that stood still for longer ramps to rest and ends the lease: what was planned before is not what is
true now."""
BEHIND_S = 0.5
"""The same where many late ticks, each of them short, have added up to more than this."""

HANDSHAKE_S = 2.0
"""How long a new connection may take to introduce itself."""
HEARTBEAT_S = 1.0
"""How often a connected peer is asked whether it is there."""
SILENCE_S = 5.0
"""How long a peer may leave that unanswered before it is disconnected."""

BROKER_RESIDENT_BYTES = 192 * 1024 * 1024
"""The memory at which a broker disconnects everyone, which frees what they sent; it uses 30 MiB without them."""
BROKER_DATA_BYTES = 1024 * 1024 * 1024
"""The memory at which the kernel ends a broker; it is started again."""
BROKER_CHECK_S = 0.05
"""How often a broker checks its memory and the list of keys."""
BROKER_START_S = 60.0
"""How long a broker may take to start; on a quiet machine it takes 0.3 s."""
BROKER_END_S = 2.0
"""How long a broker may take to end before it is killed."""
BROKER_PAUSE_S = 0.2
"""The pause before a broker that ended by itself is started again."""
BIND_S = 1.0
"""How long a broker tries to bind an address that is held: a process that was killed needs a moment to release it."""
