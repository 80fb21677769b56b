"""An emulator of a Universal Robots controller on one address of this machine, at the ports that clients expect.

It implements RTDE (protocol version 2, as in the maker's guide:
https://docs.universal-robots.com/tutorials/communication-protocol-tutorials/rtde-guide.html), the dashboard's commands,
and accepts programs at the script ports. Run it in a process of its own: ur_rtde holds Python's lock while it connects.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from robot.errors import AddressInUse, ConfigurationError
from robot.hardware.ur.emulated_controller import (
    PERIOD_S,
    PLAYING,
    REGISTERS,
    ROBOT_MODES,
    SAFETY_MODES,
    STOPPED,
    UrController,
)

RTDE_PORT, DASHBOARD_PORT, SCRIPT_PORTS = 30004, 29999, (30001, 30002, 30003)
_VERSION = (5, 11, 0, 108249)
_SERIAL_NUMBER = "20195500001"
_STEPS_BEHIND = 50
"""After a longer pause, for instance of a stopped process, the lost time is skipped."""
_HEADER = struct.Struct(">HB")
_FORMATS = {
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
    "INT32": "i",
    "UINT32": "I",
    "UINT64": "Q",
    "UINT8": "B",
}
_INPUTS = {
    "speed_slider_mask": "UINT32",
    "speed_slider_fraction": "DOUBLE",
    "external_force_torque": "VECTOR6D",
    "standard_digital_output_mask": "UINT8",
    "standard_digital_output": "UINT8",
}
_REGISTER = re.compile(r"(input|output)_(int|double)_register_(\d+)$")


@dataclass
class _Recipe:
    """The layout of one kind of data package: the names of its fields, and how they are packed."""

    names: list[str]
    packing: struct.Struct


@dataclass
class _Connection:
    """One client at one port, with its incomplete input and its unsent output."""

    socket: socket.socket
    handle: Callable[[_Connection], None]
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)
    inputs: list[_Recipe] = field(default_factory=list)
    output: _Recipe | None = None
    every: int = 1
    started: bool = False


class UrEmulator:
    """Serves `controller` at the address `host`. Raises `ConfigurationError` when `host` is not an address of this
    machine, and `AddressInUse` when another process holds its ports."""

    def __init__(self, controller: UrController, host: str) -> None:
        self.controller = controller
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._steps = 0
        ports: dict[int, tuple[Callable[[_Connection], None], bytes]] = {
            RTDE_PORT: (self._serve_rtde, b""),
            DASHBOARD_PORT: (self._serve_dashboard, b"Connected: Universal Robots Dashboard Server\n"),
            **dict.fromkeys(SCRIPT_PORTS, (self._serve_scripts, b"")),
        }
        for port, (handle, greeting) in ports.items():
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
            except OSError as error:
                listener.close()
                self.close()
                if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                    raise ConfigurationError(f"{host} is not an address of this machine") from error
                raise AddressInUse(f"port {port} of {host} is taken; try another --host, such as 127.0.0.3") from error
            listener.listen()
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, (handle, greeting))

    def serve(self, stop_after_s: float | None = None) -> None:
        """Answer clients and advance the controller every 2 ms, until `stop_after_s` have passed."""
        end = None if stop_after_s is None else time.monotonic() + stop_after_s
        due = time.monotonic()
        while end is None or time.monotonic() < end:
            for key, _ in self._selector.select(max(due - time.monotonic(), 0.0)):
                if isinstance(key.data, _Connection):
                    self._receive(key.data)
                else:
                    self._accept(key)
            now = time.monotonic()
            if now - due > _STEPS_BEHIND * PERIOD_S:
                due = now
            while due <= now:
                self.controller.step()
                self._steps += 1
                due += PERIOD_S
                self._report()

    def close(self) -> None:
        """Close all connections and release the ports."""
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    # ---------------------------------------------------------------- sockets

    def _accept(self, key: selectors.SelectorKey) -> None:
        assert isinstance(key.fileobj, socket.socket)
        accepted, _ = key.fileobj.accept()
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handle, greeting = key.data
        connection = _Connection(accepted, handle)
        self._connections.append(connection)
        self._selector.register(accepted, selectors.EVENT_READ, connection)
        self._send(connection, greeting)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:  # the client has disconnected
            data = b""
        if not data:
            self._hang_up(connection)
            return
        connection.inbox += data
        connection.handle(connection)

    def _send(self, connection: _Connection, data: bytes) -> None:
        connection.outbox += data
        try:
            sent = connection.socket.send(connection.outbox)
        except BlockingIOError:
            return
        except OSError:  # the client has disconnected
            self._hang_up(connection)
            return
        del connection.outbox[:sent]

    def _hang_up(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()

    # ---------------------------------------------------------------- RTDE

    def _serve_rtde(self, connection: _Connection) -> None:
        inbox = connection.inbox
        while len(inbox) >= _HEADER.size:
            size, kind = _HEADER.unpack_from(inbox)
            if size < _HEADER.size:
                self._hang_up(connection)
                return
            if len(inbox) < size:
                return
            payload = bytes(inbox[_HEADER.size : size])
            del inbox[:size]
            if kind == ord("U"):
                self._take(connection, payload)
            else:
                self._send(connection, _packet(kind, self._answer(connection, chr(kind), payload)))

    def _answer(self, connection: _Connection, kind: str, payload: bytes) -> bytes:
        if kind == "V":
            return struct.pack(">?", payload == struct.pack(">H", 2))
        if kind == "v":
            return struct.pack(">4I", *_VERSION)
        if kind == "O":
            (frequency,) = struct.unpack_from(">d", payload)
            names, types = _fields(payload[8:])
            known = [_FORMATS.get(each, "") for each in types]
            connection.output = _Recipe(names, struct.Struct(">" + "".join(known)))
            connection.every = max(round(1.0 / (PERIOD_S * frequency)), 1)
            return b"\x01" + ",".join(types).encode()
        if kind == "I":
            names, types = _fields(payload)
            connection.inputs.append(_Recipe(names, struct.Struct(">" + "".join(_FORMATS.get(t, "") for t in types))))
            return bytes((len(connection.inputs),)) + ",".join(types).encode()
        if kind in "SP":
            connection.started = kind == "S" and connection.output is not None
            return struct.pack(">?", kind == "P" or connection.started)
        return b""

    def _take(self, connection: _Connection, payload: bytes) -> None:
        """Write an input package to the registers."""
        number = payload[0]
        if not 1 <= number <= len(connection.inputs):
            return
        embodiment = connection.inputs[number - 1]
        if len(payload) - 1 < embodiment.packing.size:
            return
        values = embodiment.packing.unpack_from(payload, 1)
        at = 0
        for name in embodiment.names:
            kind = _type_of(name)
            if kind == "NOT_FOUND":
                continue
            count = 6 if kind.startswith("VECTOR6") else 1
            register = _REGISTER.match(name)
            if register:
                registers = self.controller.input_ints if register.group(2) == "int" else self.controller.input_doubles
                registers[int(register.group(3))] = values[at]
            at += count
        self.controller.heard()

    def _report(self) -> None:
        for connection in list(self._connections):
            if connection.outbox:  # the client has not read fast enough
                self._send(connection, b"")
            embodiment = connection.output
            if embodiment is None or not connection.started or self._steps % connection.every or connection.outbox:
                continue
            values: list[float] = []
            for name in embodiment.names:
                values += self._value(name)
            self._send(connection, _packet(ord("U"), b"\x01" + embodiment.packing.pack(*values)))

    def _value(self, name: str) -> list[float]:
        controller = self.controller
        kind = _type_of(name)
        register = _REGISTER.match(name)
        if register and kind != "NOT_FOUND":
            registers = controller.output_ints if register.group(2) == "int" else controller.output_doubles
            return [registers[int(register.group(3))]]
        safety = SAFETY_MODES[controller.safety_mode]
        scalars: dict[str, Callable[[], float]] = {
            "timestamp": lambda: controller.seconds,
            "robot_mode": lambda: ROBOT_MODES[controller.robot_mode],
            "safety_mode": lambda: safety,
            "runtime_state": lambda: PLAYING if controller.running else STOPPED,
            "robot_status_bits": lambda: (controller.robot_mode == "RUNNING") | controller.running << 1,
            "safety_status_bits": lambda: 1 << safety - 1 | (safety in (6, 7)) << 7 | (safety not in (1, 2)) << 10,
            "speed_scaling": lambda: 1.0,
            "target_speed_fraction": lambda: 1.0,
        }
        if name == "joint_mode":
            return list(controller.joint_modes)
        vectors = {"actual_q": controller.position, "actual_qd": controller.velocity, "target_q": controller.target}
        if name in scalars:
            return [scalars[name]()]
        if name in vectors:
            return vectors[name].tolist()
        return [0] * {"VECTOR3D": 3, "VECTOR6D": 6, "VECTOR6INT32": 6, "NOT_FOUND": 0}.get(kind, 1)

    # ---------------------------------------------------------------- dashboard and programs

    def _serve_dashboard(self, connection: _Connection) -> None:
        while b"\n" in connection.inbox:
            line, _, rest = bytes(connection.inbox).partition(b"\n")
            connection.inbox[:] = rest
            self._send(connection, self._told(line.decode(errors="replace").strip()).encode() + b"\n")

    def _told(self, line: str) -> str:
        controller = self.controller
        word = line.lower()
        state = f"PLAYING {controller.program}" if controller.running else "STOPPED <unnamed>"
        answers = {
            "polyscopeversion": "URSoftware {}.{}.{}.{} (Jul 28 2021)".format(*_VERSION),
            "get serial number": _SERIAL_NUMBER,
            "get robot model": controller.model.reported,
            "robotmode": f"Robotmode: {controller.robot_mode}",
            "safetymode": f"Safetymode: {controller.safety_mode}",
            "safetystatus": f"Safetystatus: {controller.safety_mode}",
            "is in remote control": str(controller.remote).lower(),
            "running": f"Program running: {str(controller.running).lower()}",
            "programstate": state,
        }
        if word in answers:
            return answers[word]
        if not controller.remote:
            return "This command is not allowed: the robot is in local control mode"
        if word == "stop":
            controller.end_program()
            return "Stopped"
        if word == "unlock protective stop":
            if controller.safety_mode == "PROTECTIVE_STOP":
                controller.safety_mode = "NORMAL"
            return "Protective stop releasing"
        if word == "power off":
            controller.switch_off()
            return "Powering off"
        if word == "brake release":
            controller.robot_mode = "RUNNING"
            return "Brake releasing"
        return f"could not understand: '{line}'"

    def _serve_scripts(self, connection: _Connection) -> None:
        """Accept complete programs: from a `def` to an `end` that both begin a line."""
        while True:
            text = bytes(connection.inbox)
            begin = re.search(rb"^def (\w+)\(\):", text, re.MULTILINE)
            end = re.search(rb"^end\r?\n", text, re.MULTILINE)
            if begin is None or end is None:
                return
            del connection.inbox[: end.end()]
            self.controller.upload(begin.group(1).decode())


def _packet(kind: int, payload: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(payload), kind) + payload


def _fields(listed: bytes) -> tuple[list[str], list[str]]:
    """Return names and types of the comma-separated fields; nothing may follow the last one."""
    names = [name for name in listed.decode().split(",") if name]
    return names, [_type_of(name) for name in names]


def _type_of(name: str) -> str:
    register = _REGISTER.match(name)
    if register and int(register.group(3)) < REGISTERS:
        return "INT32" if register.group(2) == "int" else "DOUBLE"
    return _INPUTS.get(name) or _OUTPUTS.get(name, "NOT_FOUND")


_OUTPUTS = {
    **dict.fromkeys(
        (
            *("timestamp", "actual_execution_time", "speed_scaling", "target_speed_fraction", "actual_momentum"),
            *("actual_main_voltage", "actual_robot_voltage", "actual_robot_current", "standard_analog_input0"),
            *("standard_analog_input1", "standard_analog_output0", "standard_analog_output1", "payload"),
        ),
        "DOUBLE",
    ),
    **dict.fromkeys(
        (
            *("target_q", "target_qd", "target_qdd", "target_current", "target_moment", "actual_q", "actual_qd"),
            *("actual_current", "joint_control_output", "actual_TCP_pose", "actual_TCP_speed", "actual_TCP_force"),
            *("target_TCP_pose", "target_TCP_speed", "joint_temperatures", "actual_joint_voltage", "ft_raw_wrench"),
            *("payload_inertia", "actual_current_as_torque"),
        ),
        "VECTOR6D",
    ),
    **dict.fromkeys(("actual_tool_accelerometer", "payload_cog"), "VECTOR3D"),
    **dict.fromkeys(("actual_digital_input_bits", "actual_digital_output_bits"), "UINT64"),
    **dict.fromkeys(("robot_mode", "safety_mode"), "INT32"),
    **dict.fromkeys(("runtime_state", "robot_status_bits", "safety_status_bits"), "UINT32"),
    "joint_mode": "VECTOR6INT32",
}
