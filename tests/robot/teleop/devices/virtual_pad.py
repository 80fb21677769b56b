"""A gamepad without hardware: SDL's own virtual one, in the process of the command that reads it.

As a module it is `worldarm`, with such a gamepad plugged in, that is held as lines in the pipe named by `PAD` say:
"axis NUMBER VALUE", "button NUMBER 0|1", "unplug", "plug".
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path

AXES, BUTTONS, GAME_CONTROLLER = 6, 15, 1


class VirtualPad:
    """A virtual gamepad of this process's SDL, plugged in at once; SDL's subsystem for them must run."""

    def __init__(self) -> None:
        mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libSDL2-2" in line}
        self._sdl = ctypes.CDLL(mapped.pop())
        self._sdl.SDL_JoystickOpen.restype = ctypes.c_void_p
        self.plug()

    def plug(self) -> None:
        self._index = self._sdl.SDL_JoystickAttachVirtual(GAME_CONTROLLER, AXES, BUTTONS, 0)
        assert self._index >= 0
        self._pad = ctypes.c_void_p(self._sdl.SDL_JoystickOpen(self._index))

    def unplug(self) -> None:
        self._sdl.SDL_JoystickDetachVirtual(self._index)

    def axis(self, number: int, value: float) -> None:
        self._sdl.SDL_JoystickSetVirtualAxis(self._pad, number, ctypes.c_int16(round(32767 * value)))

    def button(self, number: int, down: int) -> None:
        self._sdl.SDL_JoystickSetVirtualButton(self._pad, number, ctypes.c_uint8(down))


def main() -> int:
    os.environ.update(SDL_VIDEODRIVER="dummy", SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS="1", PYGAME_HIDE_SUPPORT_PROMPT="1")
    import pygame

    pygame.joystick.init()
    pad = VirtualPad()
    pipe = os.environ["PAD"]

    def obey() -> None:
        with open(pipe, encoding="utf-8") as lines:
            for line in lines:
                word, *numbers = line.split()
                getattr(pad, word)(
                    *(float(number) if word == "axis" and n else int(number) for n, number in enumerate(numbers))
                )

    threading.Thread(target=obey, daemon=True).start()
    from worldarm import main as worldarm

    return worldarm()


if __name__ == "__main__":
    sys.exit(main())
