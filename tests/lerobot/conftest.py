"""The real lerobot beside worldarm: these tests run where LEROBOT_PYTHON names its interpreter (make test-lerobot)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = [] if os.environ.get("LEROBOT_PYTHON") else ["test_*.py"]
PATIENCE_S = 100.0

Theirs = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """Runs verbs of `theirs.py` in lerobot's environment, offline, and returns what each tells."""
    python = Path(os.environ["LEROBOT_PYTHON"]).absolute()
    home = str(tmp_path_factory.mktemp("home"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": home, "HF_LEROBOT_HOME": home, "SVT_LOG": "1"}

    def run(*jobs: tuple[object, ...]) -> list[dict[str, Any]]:
        result = subprocess.run(
            [python, Path(__file__).parent / "theirs.py", json.dumps(jobs, default=str)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert result.returncode == 0, result.stderr
        told: list[dict[str, Any]] = json.loads(result.stdout.splitlines()[-1])
        return told

    return run
