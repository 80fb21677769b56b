"""Plain messages for the errors of an SO-101's servos, with what to do about each.

A servo sends its error bits in every answer (Feetech, STS3215 memory table, "servo status"). It switches its torque off
by itself after an overload and when it is too hot.
"""

from __future__ import annotations

from robot.hardware.so101.bus import Servo

LOWEST_VOLTS = 4.5
HOTTEST_C = 70
"""The temperature at which the maker's settings protect a servo."""

VOLTAGE, ANGLE, HEAT, CURRENT, OVERLOAD = 0x01, 0x02, 0x04, 0x08, 0x20

_ANEW = "switch the arm's power off and on"
_MESSAGES = {
    OVERLOAD: (
        f"was overloaded and has switched its torque off: hold the arm, free the joint of what blocks or loads it, "
        f"then {_ANEW}"
    ),
    HEAT: f"is too hot, at {{celsius}} °C: let it cool without power, lighten its load, then {_ANEW}",
    CURRENT: f"draws too much current: free the joint, look for a damaged cable, then {_ANEW}",
    ANGLE: f"reports that its angle sensor fails: {_ANEW}; replace the servo when it fails again",
    VOLTAGE: f"has {{volts:.1f}} V, outside its range: check the power supply and its plugs, then {_ANEW}",
}


def error_of(name: str, number: int, servo: Servo, holds: bool) -> str:
    """Return what is wrong with the servo `number` of the joint `name`, and what to do; empty when nothing is. With
    `holds` its torque must be on."""
    who = f"{name} (servo {number})"
    for bit, message in _MESSAGES.items():
        if servo.errors & bit:
            return f"{who} {message.format(celsius=servo.celsius, volts=servo.volts)}"
    if servo.errors:
        return f"{who} reports the errors 0x{servo.errors:02x}: {_ANEW}"
    if servo.volts < LOWEST_VOLTS:
        return f"{who} has {servo.volts:.1f} V: is the power supply plugged in?"
    if servo.celsius >= HOTTEST_C:
        return f"{who} {_MESSAGES[HEAT].format(celsius=servo.celsius)}"
    if holds and not servo.torque:
        return f"{who} has lost its torque, as after a dip of its supply: hold the arm, check its plug, then {_ANEW}"
    return ""
