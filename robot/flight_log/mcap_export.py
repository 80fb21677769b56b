"""Exports a flight log as an MCAP file (https://mcap.dev): channels of JSON messages, each with its schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from robot.errors import ConfigurationError
from robot.flight_log.records import Measured, Opened, Record, Ticked, WaypointsReceived

SETPOINT, MEASURED, EVENTS = "/set_point", "/measured", "/events"


def write_mcap(path: Path, records: Iterable[Record]) -> int:
    """Write `records`, which must begin with an `Opened`, to `path`; return the number of messages.

    Raises `ConfigurationError` when the package `mcap` is not installed, and `OSError`.
    """
    try:
        from mcap.writer import Writer
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "writing MCAP needs the Python package 'mcap': pip install 'worldarm[mcap]'"
        ) from error
    count = 0
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start(library="worldarm")
        channels = {
            topic: writer.register_channel(
                topic=topic,
                message_encoding="json",
                schema_id=writer.register_schema(
                    name=f"worldarm{topic.replace('/', '.')}", encoding="jsonschema", data=json.dumps(schema).encode()
                ),
            )
            for topic, schema in _SCHEMAS.items()
        }
        wall_ns = 0
        for sequence, record in enumerate(records):
            if isinstance(record, Opened):
                wall_ns = record.wall_ns - record.time_ns
            topic, message = _message(record)
            utc_ns = record.time_ns + wall_ns
            writer.add_message(
                channel_id=channels[topic],
                log_time=utc_ns,
                publish_time=utc_ns,
                sequence=sequence & 0xFFFFFFFF,
                data=msgspec.json.encode(message),
            )
            count += 1
        writer.finish()
    return count


def _message(record: Record) -> tuple[str, dict[str, Any]]:
    """Return the channel of `record` and its message."""
    if isinstance(record, Ticked):
        return SETPOINT, {
            "position": record.governed,
            "velocity": record.velocity,
            "gripper_width": record.gripper_width,
            "clamps": record.clamps,
        }
    if isinstance(record, Measured):
        return MEASURED, {
            "position": record.positions,
            "velocity": record.velocities,
            "gripper_width": record.gripper_width,
            "effort": record.efforts,
        }
    content = {name: getattr(record, name) for name in record.__struct_fields__ if name not in ("time_ns", "servo")}
    if isinstance(record, Opened):
        content["arm"] = {"name": record.arm.name, "joint_names": record.arm.joint_names, "rate_hz": record.arm.rate_hz}
    if isinstance(record, WaypointsReceived):
        content["waypoints"] = [
            {
                "in_s": (waypoint.time_ns - record.time_ns) * 1e-9,
                "position": waypoint.positions,
                "gripper_width": waypoint.gripper_width,
            }
            for waypoint in record.waypoints
        ]
    return EVENTS, {"event": record.__struct_config__.tag, **content}


_NUMBERS = {"type": "array", "items": {"type": "number"}}
_MOTION = {
    "position": {**_NUMBERS, "description": "rad"},
    "velocity": {**_NUMBERS, "description": "rad/s"},
    "gripper_width": {"type": "number", "description": "m"},
}
_CLAMPS = {"clamps": {"type": "array", "items": {"type": "string"}}}
_SCHEMAS: dict[str, dict[str, Any]] = {
    SETPOINT: {"type": "object", "properties": {**_MOTION, **_CLAMPS}},
    MEASURED: {"type": "object", "properties": {**_MOTION, "effort": {**_NUMBERS, "description": "N·m"}}},
    EVENTS: {"type": "object", "properties": {"event": {"type": "string"}}},
}
