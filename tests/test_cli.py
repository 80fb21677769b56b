from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tqdm import tqdm

from tests.commands import ROOT, environment, running, worldarm
from tests.forked import Outcome, outcomes
from tests.perception.camera import pattern_camera
from worldarm import COMMANDS, GROUPS, main


def test_help_names_every_command_and_is_quick() -> None:
    script = Path(sys.executable).with_name("worldarm")
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        result = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, timeout=300)
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 0.3
    for name, (_, line) in COMMANDS.items():
        assert f"  {name} " in result.stdout and line in result.stdout


def test_an_interruption_is_the_last_thing_said_though_a_progress_bar_is_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = []

    def interrupted(words: list[str]) -> int:
        bars.append(tqdm(total=2, desc="learning"))
        raise KeyboardInterrupt

    monkeypatch.setattr("worldarm._dispatch", interrupted)
    assert main([]) == 130
    bars.pop().close()
    error = capsys.readouterr().err
    assert "learning" in error and error.endswith("\nworldarm: interrupted\n")


def test_help_lists_commands_under_what_a_user_wants_to_do() -> None:
    sections = worldarm("--help").stdout.split("\n\n")[2:]
    titles = [section.splitlines()[0] for section in sections]
    assert titles == ["Try it:", "Run an arm:", "Collect data:", "Learn:", "Measure:"]
    for section, group in zip(sections, GROUPS.values(), strict=True):
        listed = [line.strip().split("  ")[0] for line in section.splitlines()[1:]]
        assert listed == list(group)


def test_each_line_of_the_help_fits_a_terminal() -> None:
    assert max(map(len, worldarm("--help").stdout.splitlines())) <= 105


def test_help_imports_nothing_that_a_command_needs() -> None:
    script = (
        "import sys, worldarm; worldarm.main(['--help'])\n"
        "print(sorted({'tyro', 'numpy', 'torch', 'zmq', 'cv2', 'msgspec'} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert result.stderr == "[]\n"


@pytest.mark.parametrize("words", [[], ["help"], ["-h"]])
def test_other_ways_to_ask_for_help(words: list[str]) -> None:
    result = worldarm(*words)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == worldarm("--help").stdout


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Outcome, Outcome]]:
    """For each command: how asking for its help ended, and a word that it does not know."""
    words = [[*name.split(), *asked] for name in COMMANDS for asked in (["--help"], ["--no-such-option", "1"])]
    ended = outcomes(tmp_path_factory.mktemp("answers"), words)
    return dict(zip(COMMANDS, zip(ended[::2], ended[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, answers: dict[str, tuple[Outcome, Outcome]]) -> None:
    result, _ = answers[name]
    assert result.returncode == 0, result.stderr
    assert f"usage: worldarm {name}" in result.stdout.replace("\n", " ")
    said = [line for line in result.stderr.splitlines() if not line.startswith("pybullet build time")]
    assert said == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_an_option_that_it_does_not_have(
    name: str, answers: dict[str, tuple[Outcome, Outcome]]
) -> None:
    _, result = answers[name]
    assert result.returncode == 2
    assert "no-such-option" in result.stderr or "Missing argument" in result.stderr
    assert "Traceback" not in result.stderr


def test_version() -> None:
    result = worldarm("--version")
    assert (result.returncode, result.stdout) == (0, "worldarm 0.1.0\n")


@pytest.mark.parametrize(
    ("word", "hint"),
    [("camra", "did you mean 'camera'?"), ("xyzzy", "`worldarm --help` lists all commands"), ("--camera", "'camera'")],
)
def test_an_unknown_command_gets_a_hint(word: str, hint: str) -> None:
    result = worldarm(word)
    assert result.returncode == 2
    assert f"there is no command '{word}'" in result.stderr and hint in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_group_of_commands_lists_its_own() -> None:
    groups = {name.split()[0] for name in COMMANDS if " " in name} - COMMANDS.keys()
    assert groups == {"calibrate", "dataset", "emulate", "keys", "log"}
    for group in groups:
        alone, helped, wrong = worldarm(group), worldarm(group, "--help"), worldarm(group, "xyzzy")
        assert (alone.returncode, helped.returncode, wrong.returncode) == (2, 0, 2)
        assert alone.stdout == helped.stdout
        listed = [line for line in alone.stdout.splitlines() if line.startswith("  ")]
        assert listed and all(line.startswith(f"  {group} ") for line in listed)
        assert f"there is no command '{group} xyzzy'" in wrong.stderr


def test_an_error_is_one_line_without_a_traceback() -> None:
    result = worldarm("camera", "--source", "nothing")
    assert result.returncode == 1
    assert result.stderr.startswith("worldarm: there is no camera called 'nothing'")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("how", "status", "word"),
    [(signal.SIGINT, 130, "worldarm: interrupted\n"), (signal.SIGTERM, 143, ""), (signal.SIGHUP, 129, "")],
)
def test_signals_end_a_command_in_order(tmp_path: Path, how: signal.Signals, status: int, word: str) -> None:
    arguments = ["camera", "--source", "pattern", "--frames-address", "tcp://127.0.0.1:*"]
    with running(*arguments, paths=(pattern_camera.install(tmp_path),)) as process:
        time.sleep(0.2)
        ended = process.end(how)
    assert ended[0] == status
    assert "closed front" in ended[1]
    assert ended[2] == word


@pytest.mark.parametrize(("how", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_comes_inside_a_destructor_ends_a_command_too(how: str, status: int) -> None:
    script = f"""
import os, signal, sys, time, types
import worldarm

class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.{how})
        time.sleep(0.001)

def work() -> None:
    Dying()
    time.sleep(50.0)

sys.modules["stranger"] = types.SimpleNamespace(work=work)
worldarm.COMMANDS["work"] = ("stranger:work", "")
sys.exit(worldarm.main(["work"]))
"""
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert result.returncode == status and time.monotonic() - began < 30.0
    assert "ignored" not in result.stderr and "Traceback" not in result.stderr


def test_a_command_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    words = ["camera", "--source", "pattern", "--frames-address", "tcp://127.0.0.1:*"]
    with subprocess.Popen(
        [sys.executable, "-m", "worldarm", *words],
        cwd=ROOT,
        env=environment(pattern_camera.install(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        assert process.stdout is not None and "camera front" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


def test_what_the_system_refuses_is_one_line_with_the_file() -> None:
    name = "x" * 300
    result = worldarm("check", name)
    assert (result.returncode, result.stderr) == (1, f"worldarm: {name}/checkpoint.json: File name too long\n")


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "worldarm", "--help"],
            cwd=ROOT,
            env=environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert (result.returncode, result.stderr) == (141, "")
