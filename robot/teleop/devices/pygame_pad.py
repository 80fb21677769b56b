"""Reads a gamepad through pygame (SDL), which knows most layouts; it needs no window and no screen."""

from __future__ import annotations

import os
from typing import Any

from robot.errors import ConfigurationError
from robot.teleop.devices.gamepad import PadState

_SETTINGS = {
    "SDL_VIDEODRIVER": "dummy",
    "SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS": "1",  # there is no window that could have the focus
    "SDL_NO_SIGNAL_HANDLERS": "1",  # so that Ctrl-C still reaches the command line
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}
_FULL = 32767.0
_LEFT_X, _LEFT_Y, _RIGHT_X, _RIGHT_Y = range(4)
# SDL's numbers of a game controller's buttons, which do not depend on their labels.
_BUTTONS = {
    0: "a",
    1: "b",
    2: "x",
    3: "y",
    4: "back",
    6: "start",
    9: "left shoulder",
    10: "right shoulder",
    11: "up",
    12: "down",
}


class PygamePad:
    """The first gamepad that SDL finds; after it was unplugged, the next one.

    Raises `ConfigurationError` when pygame is not installed, and when no gamepad that SDL knows is plugged in.
    """

    def __init__(self) -> None:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import pygame
            from pygame._sdl2 import controller
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"--device gamepad needs the Python package '{error.name}': pip install 'worldarm[gamepad]'"
            ) from error
        self._pygame, self._controller = pygame, controller
        try:
            pygame.display.init()  # events need it
            controller.init()
        except pygame.error as error:
            raise ConfigurationError(f"gamepads cannot be read here: {error}") from error
        self._pad: Any = None
        self._id = -1
        self._axes: dict[int, float] = {}
        self._down: set[str] = set()
        self.poll()
        if self._pad is None:
            self._find()
        if self._pad is None:
            unknown = pygame.joystick.get_count()
            self.close()
            raise ConfigurationError(
                "no gamepad is plugged in"
                if not unknown
                else f"SDL does not know the layout of the {unknown} gamepads here: set SDL_GAMECONTROLLERCONFIG"
            )

    def poll(self) -> PadState | None:
        """Return the gamepad's state; None while none is plugged in."""
        pygame = self._pygame
        pressed: list[str] = []
        for event in pygame.event.get():
            if event.type == pygame.CONTROLLERDEVICEADDED and self._pad is None:
                self._find()
            elif getattr(event, "instance_id", -1) != self._id or self._pad is None:
                continue
            elif event.type == pygame.CONTROLLERDEVICEREMOVED:
                self._drop()
                pressed.clear()
            elif event.type == pygame.CONTROLLERAXISMOTION:
                self._axes[event.axis] = max(-1.0, event.value / _FULL)
            elif event.type == pygame.CONTROLLERBUTTONDOWN and event.button in _BUTTONS:
                self._down.add(_BUTTONS[event.button])
                pressed.append(_BUTTONS[event.button])
            elif event.type == pygame.CONTROLLERBUTTONUP and event.button in _BUTTONS:
                self._down.discard(_BUTTONS[event.button])
        if self._pad is None:
            return None
        axis = self._axes.get
        return PadState(
            (axis(_LEFT_X, 0.0), axis(_LEFT_Y, 0.0)),
            (axis(_RIGHT_X, 0.0), axis(_RIGHT_Y, 0.0)),
            frozenset(self._down),
            tuple(pressed),
        )

    def close(self) -> None:
        """Release the gamepad and SDL."""
        self._drop()
        self._controller.quit()
        self._pygame.display.quit()

    def _find(self) -> None:
        """Open the first gamepad and read its present state, since SDL reports only changes."""
        for index in range(self._controller.get_count()):
            if not self._controller.is_controller(index):
                continue
            self._pad = self._controller.Controller(index)
            self._id = self._pad.as_joystick().get_instance_id()
            self._axes = {
                axis: max(-1.0, self._pad.get_axis(axis) / _FULL) for axis in (_LEFT_X, _LEFT_Y, _RIGHT_X, _RIGHT_Y)
            }
            self._down = {name for button, name in _BUTTONS.items() if self._pad.get_button(button)}
            return

    def _drop(self) -> None:
        if self._pad is not None:
            pad, self._pad = self._pad, None
            pad.quit()
        self._id = -1
        self._axes, self._down = {}, set()
