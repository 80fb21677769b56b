"""The user's whole way, as docs/whole-way.md has it: move the arm at the page, record, learn, show a picture, run."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.checkpoint.files import load_card
from robot.client.client import Client
from robot.dataset.reader import Dataset
from robot.embodiment.actions import PLANAR_PUSH
from sim.execution.processes import SimulatedProcesses
from sim.world.cameras import front_camera
from tests.benchmarks.demonstrator import Demonstrator
from tests.benchmarks.page_demonstrations import RATE_HZ, page_hand
from tests.commands import in_process, worldarm
from tests.control.conftest import QUICK
from tests.robot.driver.checks import steady

# A browser without a graphics card takes its time, and minutes beside other work.
pytestmark = [pytest.mark.real_time, pytest.mark.alone]

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_from_the_page_to_an_agent_that_goes_for_a_picture(tmp_path: Path) -> None:
    folder, model, goal = tmp_path / "all", tmp_path / "model", tmp_path / "goal.png"
    dataset = folder / "set"

    def says(*words: object, status: tuple[int, ...] = (0,), command: Command = in_process) -> str:
        done = command(*map(str, words))
        assert done.returncode in status, done.stderr
        return done.stdout

    with SimulatedProcesses(front_camera(160, 120), RATE_HZ) as where:
        with page_hand(where, dataset, "reach a place", "front", "push", "video") as hand:
            person = Demonstrator(hand, PLANAR_PUSH.bounds, np.random.default_rng(0))
            for _ in range(2):
                person.demonstrate(4.0)
            assert "160x120 from the camera front" in says("snap", "--output", goal, "--camera", where.frames)
            assert cv2.imread(str(goal)).shape == (120, 160, 3)
            there = hand.tool()
            away = np.array([0.5, -0.1 if there[1] > 0 else 0.1, there[2]])
            hand.hold(away)
            hand.go(away, 0.01, 10.0)
            hand.drop()

        assert "2 whole episodes" in says("dataset", "check", dataset)
        assert Dataset.open(dataset).info.total_episodes == 2
        assert "2 episodes" in says("dataset", "quality", dataset, "--plot", tmp_path / "quality.png")

        trained = says("train", "--dataset", dataset, "--run", tmp_path / "run", "--output", model, *QUICK)
        assert f"checkpoint in {model}" in trained
        card = load_card(model)
        assert (card.embodiment.camera.name, card.embodiment.camera.width, card.embodiment.camera.height) == (
            "front",
            64,
            64,
        )
        assert card.embodiment.action == PLANAR_PUSH and card.provenance.frames > 60
        judged = says("check", model, "--dataset", dataset, "--cache", tmp_path / "cache", status=(0, 1))
        assert "plannable" in judged.splitlines()[-1]

        addresses = ("--command-address", where.command, "--frames-address", where.frames)
        own = ("--decisions-address", "tcp://127.0.0.1:*", "--output", tmp_path / "out", "--blocks", "20")
        told = says("run", "--goal", goal, "--checkpoint", model, *addresses, *own, status=(0, 1), command=worldarm)
        assert "camera front sends 160x120; the model sees the middle of it as 64x64" in told
        assert re.search(r"^(not )?reached: ", told, re.MULTILINE) and "decisions, median" in told
        assert (tmp_path / "out" / "strip.png").exists()
        with Client(where.command, 5.0) as client:
            state = steady(client)
            assert (state.mode, state.holder) == ("holding", "")

    # The benchmark takes the demonstrations that are there, without a browser, and adds none.
    fingerprint, numbers = Dataset.open(dataset).fingerprint(), tmp_path / "numbers.json"
    few = ("--episodes", "2", "--goals", "1", "--encoder", "None", "--browser", "/nowhere/chromium", *QUICK)
    shown = says("benchmark", "demonstrations", "--folder", folder, *few, "--json", numbers)
    found = json.loads(numbers.read_text())
    assert (found["recorded"]["episodes"], found["recorded"]["recorded"]) == (2, 0)
    assert [each["method"] for each in found["reached"]] == ["full", "actor-only", "random", "hold"]
    assert all(f"| {each['method']} " in shown for each in found["reached"])
    assert found["reached"][-1]["success"] == 0.0, "holding reaches nothing"
    assert Dataset.open(dataset).fingerprint() == fingerprint
