"""What the comparison of loaders refuses; the measurement itself is tried where lerobot is, in tests/lerobot."""

from __future__ import annotations

from pathlib import Path

from tests.commands import in_process
from tests.robot.dataset.samples import write


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no lerobot here >&2\nexit 3\n")
    script.chmod(0o755)
    for words, told in (
        (("--samples", "0"), "--samples must be at least 1"),
        (("--seed", "-1"), "--seed"),
        (("--json", str(tmp_path)), str(tmp_path)),
        ((str(root), "--reference", str(tmp_path / "nothing")), "make test-lerobot"),
        ((str(root), "--reference", str(script)), "status 3): no lerobot here"),
        ((str(tmp_path / "absent"), "--reference", str(script)), "does not exist"),
    ):
        refused = in_process("benchmark", "dataset", *words)
        assert (refused.returncode, refused.stdout) == (1, ""), refused.stderr
        assert told in refused.stderr
