"""Malformed messages of many kinds: to the decoder, and to the command socket of a running driver."""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import zmq
from tqdm import tqdm

from robot.benchmark.processes import patiently, resident_bytes, running_driver
from robot.errors import WireError
from robot.wire import sockets
from robot.wire.limits import MAX_REQUEST_FRAME_BYTES
from robot.wire.messages import AcquireLease, Reset, SpecRequest, Stop, Waypoint, Waypoints, decode, encode

_BURST = 32
_ANSWER_MS = 5000


class Malformed(msgspec.Struct, frozen=True):
    """Results. Decoder: how many of `decoded` messages it `refused` (the others were valid by chance), and how much
    memory grew. Socket: how many of `sent` messages were `answered`, how much the driver's memory grew, which share of
    its deadlines it kept, and whether it still answered correctly at the end."""

    decoded: int
    refused: int
    decoder_growth_bytes: int
    sent: int
    answered: int
    driver_growth_bytes: int
    on_time: float
    alive: bool


def measure_malformed(words: Sequence[str], decoded: int, sent: int, folder: Path, seed: int = 0) -> Malformed:
    """Pass `decoded` messages to the decoder, and send `sent` ones to the driver that `worldarm driver WORDS` starts.

    Raises `ArmError` when it does not start.
    """
    nonsense = Nonsense(seed)
    refused = 0
    for _ in range(
        min(decoded, 20_000)
    ):  # first the memory that is allocated once, such as decoders and random numbers
        refused += _refuses(nonsense.next())
    before = resident_bytes(os.getpid())
    for _ in tqdm(range(decoded - min(decoded, 20_000)), desc="decoder", unit="message", mininterval=0.5):
        refused += _refuses(nonsense.next())
    growth = resident_bytes(os.getpid()) - before
    with running_driver(words, folder) as driver:
        with driver.client() as client:
            client.state(5.0)
        driver_before = driver.resident_bytes()
        answered = _flood(driver.command, nonsense, sent)
        driver_growth = driver.resident_bytes() - driver_before
        with driver.client() as client:
            client.reset()  # some messages were valid, such as a stop
            patiently(client)
            alive = client.acquire("after", 1.0).holder == "after"
        report = driver.end()
    found = re.search(r"([\d.]+) % on time", report)
    return Malformed(
        decoded, refused, growth, sent, answered, driver_growth, float(found.group(1)) / 100 if found else 0.0, alive
    )


def _refuses(message: bytes) -> bool:
    try:
        decode(message)
    except WireError:
        return True
    return False


def _flood(address: str, nonsense: Nonsense, count: int) -> int:
    """Send `count` messages in bursts, and return how many were answered."""
    answered = 0
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = sockets.make(context, zmq.DEALER, 1024)
    try:
        sockets.connect(socket, address)
        with tqdm(total=count, desc="socket", unit="message", mininterval=0.5) as bar:
            while bar.n < count:
                burst = min(_BURST, count - bar.n)
                for _ in range(burst):
                    socket.send_multipart(nonsense.frames())
                deadline = time.monotonic() + 1e-3 * _ANSWER_MS
                came = 0
                while came < burst and (left_s := deadline - time.monotonic()) > 0:
                    if socket.poll(max(1, round(1e3 * left_s))):
                        socket.recv_multipart()
                        came += 1
                answered += came
                bar.update(burst)
    finally:
        socket.close()
        context.term()
    return answered


class Nonsense:
    """Generates almost valid messages: truncated, with wrong bits, lengths, types, versions or numbers; or valid."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        waypoint = Waypoint(10**15, (0.1,) * 7, 0.04)
        bodies = (
            SpecRequest(),
            AcquireLease("x", 1.0),
            Stop("y" * 50),
            Reset(),
            Waypoints("t" * 32, 1, 1, (waypoint,) * 3),
        )
        self._whole = [encode(body, 7, 10**15) for body in bodies]
        self._absurd = [
            *(
                b"\xc1",
                b"\xdd\xff\xff\xff\xff",
                b"\xdf\xff\xff\xff\xff",
                b"\xc6\xff\xff\xff\xff",
                b"\xdb\xff\xff\xff\xff",
            ),
            *(b"\x91" * 5000, b"\x81\xa1a" * 3000, b""),
            msgspec.msgpack.encode({"version": 1, "sequence": 1, "sent_ns": 1, "body": {"type": "JointState"}}),
            msgspec.msgpack.encode({"version": 10**18, "body": None}),
            encode(AcquireLease("x", 1.0), 1, 1).replace(struct.pack(">d", 1.0), struct.pack(">d", float("nan"))),
        ]

    def next(self) -> bytes:
        """Return one message."""
        rng = self._rng
        kind = int(rng.integers(7))
        whole = self._whole[int(rng.integers(len(self._whole)))]
        if kind == 0:
            return whole[: int(rng.integers(len(whole)))]
        if kind == 1:
            changed = bytearray(whole)
            for _ in range(int(rng.integers(1, 6))):
                changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
            return bytes(changed)
        if kind == 2:
            return rng.bytes(int(rng.integers(1, 200)))
        if kind == 3:
            return self._absurd[int(rng.integers(len(self._absurd)))]
        if kind == 4:
            at = int(rng.integers(len(whole)))
            return whole[:at] + self._absurd[int(rng.integers(5))] + whole[at:]
        if kind == 5:
            return whole + whole[: int(rng.integers(len(whole)))]
        return whole[int(rng.integers(len(whole))) :]

    def frames(self) -> list[bytes]:
        """Return one message for the socket, sometimes with invalid framing."""
        frames = [b"12345678", self.next()]
        if self._rng.random() < 0.02:
            frames = [self.next() for _ in range(int(self._rng.integers(1, 9)))]
        if self._rng.random() < 0.002:
            frames[-1] = bytes(int(self._rng.integers(16_384, MAX_REQUEST_FRAME_BYTES)))
        return frames
