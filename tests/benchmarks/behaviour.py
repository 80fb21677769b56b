"""What worldarm does, recorded at one commit and compared at another, to the last bit.

    python -m tests.benchmarks.behaviour make ARTEFACTS      # with the older checkout: data, model, keys, log
    python -m tests.benchmarks.behaviour record ARTEFACTS BEFORE.json
    python -m tests.benchmarks.behaviour record ARTEFACTS AFTER.json   # with the newer checkout
    python -m tests.benchmarks.behaviour compare BEFORE.json AFTER.json

Everything goes through the command line of the checkout in the working folder, so the script runs in any checkout.
Times, paths and versions are left out of what is recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BENCHMARKS = {
    "push": ("push", "--episodes", "20"),
    "reach": ("reach", "--episodes", "20"),
    "tabletop pick-place": ("pick-place", "--checkpoint", "tabletop", "--episodes", "10"),
    "tabletop stack-two": ("stack-two", "--checkpoint", "tabletop", "--episodes", "10"),
    "push, baselines": ("push", "--episodes", "3", "--method", "actor-only", "latent-distance", "random", "hold"),
    "stack-two, sub-goals": (
        *("stack-two", "--checkpoint", "tabletop", "--episodes", "2"),
        *("--subgoals", "auto"),
    ),
}
TINY = (
    *("--world-model.steps", "20", "--world-model.batch", "8", "--predictor.steps", "20", "--decoder.steps", "5"),
    *("--heads.steps", "20", "--heads.batch", "32"),
)
TIMES = {"decision_ms", "seconds", "late"}


def worldarm(*words: object, state: Path | None = None, status: int | None = 0) -> str:
    """Run a command of the checkout in the working folder; return what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "worldarm", *map(str, words)],
        env=environment(state),
        capture_output=True,
        text=True,
    )
    if status is not None and result.returncode != status:
        raise SystemExit(f"worldarm {' '.join(map(str, words))}: status {result.returncode}\n{result.stderr}")
    return result.stdout


def environment(state: Path | None) -> dict[str, str]:
    """The environment of a command: one thread, this checkout, and its own folders for logs and keys."""
    homes = {} if state is None else {"XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state / "config")}
    return {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1", **homes}


def make(artefacts: Path) -> None:
    """Write what later checkouts must still read: data sets, a checkpoint, keys and a driver's log."""
    artefacts.mkdir(parents=True)
    for name, task in (("push", "push"), ("tabletop", "tabletop")):
        words = ("--task", task, "--episodes", "12", "--blocks", "30", "--processes", "2", "--seed", "3")
        worldarm("play", "--dataset", artefacts / name, *words)
    folders = ("--dataset", artefacts / "push", "--output", artefacts / "tiny", "--run", artefacts / "run")
    worldarm("train", *folders, *TINY)
    worldarm("keys", "new", state=artefacts)
    worldarm("keys", "allow", "friend", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", state=artefacts)
    drive(artefacts)


def drive(artefacts: Path) -> None:
    """Let a simulated driver write a log of a few seconds of motion."""
    words = ("driver", "--arm", "sim", "--state-address", "tcp://127.0.0.1:*", "--command-address", "tcp://127.0.0.1:*")
    driver = subprocess.Popen(
        [sys.executable, "-m", "worldarm", *words], env=environment(artefacts), stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    command = re.findall(r"tcp://127\.0\.0\.1:\d+", driver.stdout.readline())[0]
    worldarm("home", "--command-address", command, state=artefacts)
    worldarm("stop", "--command-address", command, state=artefacts)
    worldarm("reset", "--command-address", command, state=artefacts)
    time.sleep(0.5)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=20)


def record(artefacts: Path) -> dict[str, Any]:
    """Return what this checkout does, by name of what was tried."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for title, words in BENCHMARKS.items():
            print(f"benchmark {title}", file=sys.stderr, flush=True)
            output = work / "numbers.json"
            worldarm("benchmark", *words, "--seed", "5", "--json", output, "--plot", work / "plot.png")
            found[f"benchmark {title}"] = timeless(json.loads(output.read_text()))
        for task in ("push", "tabletop"):
            print(f"play {task}", file=sys.stderr, flush=True)
            played = work / f"play-{task}"
            worldarm("play", "--task", task, "--episodes", "20", "--processes", "2", "--seed", "4", "--dataset", played)
            found[f"play {task}"] = digests(played)
        print("train", file=sys.stderr, flush=True)
        folders = ("--dataset", artefacts / "push", "--output", work / "tiny", "--run", work / "run")
        worldarm("train", *folders, *TINY)
        found["train"] = digests(work / "tiny", only="*.safetensors")
        found["check"] = worldarm("check", artefacts / "tiny", "--dataset", artefacts / "push", status=None)
        found["keys"] = worldarm("keys", "list", state=artefacts)
        found["log replay"] = worldarm("log", "replay", state=artefacts)
        found["data set check"] = worldarm("dataset", "check", artefacts / "tabletop")
        worldarm("dataset", "merge", work / "merged", artefacts / "push", work / "play-push")
        found["data set merge"] = digests(work / "merged")
        text = json.dumps(found, sort_keys=True)
        return dict(json.loads(text.replace(str(work), "WORK").replace(str(artefacts), "ARTEFACTS")))


def digests(folder: Path, only: str = "*") -> dict[str, str]:
    """The files of a folder by the digest of their contents."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(contents(path)).hexdigest()
        for path in sorted(folder.rglob(only))
        if path.is_file() and path.name != "lock"
    }


def contents(path: Path) -> bytes:
    """The bytes of a file; those of `info.json` without the tags of action conventions, which older sets lack."""
    if path.name != "info.json":
        return path.read_bytes()
    document = json.loads(path.read_bytes())
    for embodiment in document.get("worldarm", {}).values():
        if isinstance(embodiment, dict) and isinstance(embodiment.get("action"), dict):
            embodiment["action"].pop("kind", None)
    return json.dumps(document, sort_keys=True).encode()


def timeless(value: Any) -> Any:
    """The same without times."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    return value


def compare(before: Path, after: Path) -> int:
    """Print what differs; return 0 when nothing does."""
    one, other = (json.loads(path.read_text()) for path in (before, after))
    differing = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    for name in differing:
        print(f"{name} differs:\n  before: {one.get(name)}\n  after:  {other.get(name)}"[:4000])
    print(f"{len(one)} things compared, {len(differing)} differ")
    return 1 if differing else 0


def main(words: list[str]) -> int:
    """Do what the words say."""
    if words[:1] == ["make"] and len(words) == 2:
        make(Path(words[1]).absolute())
    elif words[:1] == ["record"] and len(words) == 3:
        Path(words[2]).write_text(json.dumps(record(Path(words[1]).absolute()), indent=1, sort_keys=True))
    elif words[:1] == ["compare"] and len(words) == 3:
        return compare(Path(words[1]), Path(words[2]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
