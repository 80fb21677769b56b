"""The arm that the documentation shows: installed as a stranger's package, found by name, driven."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.commands import ROOT, running, worldarm

pytestmark = pytest.mark.real_time

EXAMPLE = ROOT / "examples" / "desk-arm"
WORDS = ("driver", "--state-address", "tcp://127.0.0.1:*", "--command-address", "tcp://127.0.0.1:*", "--arm", "desk")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which pip installed the example, from a copy, as a user would."""
    folder, copy = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("copy") / "desk-arm"
    shutil.copytree(EXAMPLE, copy)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(folder), str(copy)], check=True, timeout=300)
    return folder


def test_it_is_driven_like_any_other_arm(installed: Path) -> None:
    from robot.client.client import Client

    with running(*WORDS, "--address", "/dev/ttyUSB0", paths=(installed,)) as driver:
        command = driver.first_line.split("command ")[1].split(",")[0]
        assert worldarm("status", "--command-address", command).stdout.split()[:2] == ["arm", "desk"]
        with Client(command, 10.0) as client:
            assert (client.arm.name, client.arm.dof) == ("desk", 3)
        home = worldarm("home", "--command-address", command, "--speed", "0.5")
        assert home.returncode == 0, home.stderr
        with Client(command, 10.0) as client:
            assert np.abs(np.subtract(client.state(10.0).measured, client.arm.home)).max() < 0.02


def test_what_its_user_must_give_is_said(installed: Path) -> None:
    refused = worldarm(*WORDS, paths=(installed,))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--address /dev/ttyUSB0" in refused.stderr
