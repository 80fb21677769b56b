"""The reference library in an environment and a process of its own, asked to read the same frames."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import numpy as np
import numpy.typing as npt

from robot.errors import ConfigurationError

DEFAULT = Path(__file__).parents[2] / ".venv-lerobot/bin/python"
_SCRIPT = Path(__file__).parent / "lerobot_loader.py"
_PATIENCE_S = 600.0


class Reference:
    """A running loader of the reference library: which `version` it is, what it decodes by (`backend`)."""

    def __init__(self, process: subprocess.Popen[str], errors: Path, pictures: Path) -> None:
        self._process = process
        self._errors = errors
        told = json.loads(self._line())
        self.version: str = told["version"]
        self.backend: str = told["backend"]
        with np.load(pictures) as file:
            self.pictures: dict[str, npt.NDArray[np.uint8]] = {name: file[name] for name in file.files}

    def read(self) -> tuple[float, float]:
        """Have it read all frames once; seconds of the clock and of the processor. Raises ConfigurationError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        wall, processor = json.loads(self._line())
        return float(wall), float(processor)

    def _line(self) -> str:
        assert self._process.stdout is not None
        timer = Timer(_PATIENCE_S, self._process.kill)
        timer.start()
        try:
            while line := self._process.stdout.readline():
                if line.startswith(("{", "[")):
                    return line
        finally:
            timer.cancel()
        raise self._failure()

    def _failure(self) -> ConfigurationError:
        self._process.wait(_PATIENCE_S)
        said = self._errors.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        return ConfigurationError(f"the reference loader failed (status {self._process.returncode}): {said[-1]}")


@contextmanager
def running_reference(python: Path, root: Path, order: Sequence[int], folder: Path) -> Iterator[Reference]:
    """Start the loader in the environment of `python` on the frames of `order`; scratch files go to `folder`.

    Raises ConfigurationError when there is no such environment or the library cannot read the set.
    """
    if not os.access(python, os.X_OK):
        raise ConfigurationError(
            f"there is no interpreter at {python}: `make test-lerobot` makes an environment with the reference "
            "library, --reference names another"
        )
    (folder / "order.json").write_text(json.dumps([int(index) for index in order]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    errors = folder / "errors.txt"
    with open(errors, "w") as log:
        words = [python.absolute(), _SCRIPT, root.absolute(), folder / "order.json", folder / "pictures.npz"]
        process = subprocess.Popen(
            list(map(str, words)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
    try:
        yield Reference(process, errors, folder / "pictures.npz")
    finally:
        process.kill()
        process.communicate(timeout=60.0)
