from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from perception.recording.spool import Spool
from tests.commands import on_a_full_disk

PAYLOADS = st.lists(st.binary(max_size=40), max_size=3)


@given(steps=st.lists(st.one_of(PAYLOADS, st.none()), max_size=40), most=st.integers(0, 100))
def test_everything_comes_out_as_it_went_in_and_in_that_order(
    tmp_path_factory: object, steps: list[list[bytes] | None], most: int
) -> None:
    spool: Spool[int] = Spool(Path("/tmp"), most)
    waiting: list[tuple[int, tuple[bytes, ...]]] = []
    for number, step in enumerate(steps):
        if step is None:
            assert spool.take(0.0) == (waiting.pop(0) if waiting else None)
        else:
            spool.put(number, step)
            waiting.append((number, tuple(step)))
        assert len(spool) == len(waiting)
    assert [spool.take(0.0) for _ in waiting] == waiting
    assert spool.on_disk == 0
    spool.close()


def test_memory_is_bounded_and_the_file_has_no_name(tmp_path: Path) -> None:
    spool: Spool[int] = Spool(tmp_path, 1000)
    for number in range(100):
        spool.put(number, [bytes([number]) * 100])
    assert spool.on_disk == 90
    assert list(tmp_path.iterdir()) == []
    for number in range(100):
        assert spool.take(1.0) == (number, (bytes([number]) * 100,))
    spool.close()


def test_one_thread_takes_while_another_puts(tmp_path: Path) -> None:
    spool: Spool[int] = Spool(tmp_path, 300)
    taken = []

    def take() -> None:
        while len(taken) < 500:
            item = spool.take(10.0)
            assert item is not None
            taken.append(item)

    thread = threading.Thread(target=take)
    thread.start()
    for number in range(500):
        spool.put(number, [number.to_bytes(4, "big") * 10])
    thread.join(20.0)
    assert taken == [(number, (number.to_bytes(4, "big") * 10,)) for number in range(500)]
    spool.close()


def test_a_full_disk_is_told_and_loses_nothing_that_was_put_before(tmp_path: Path) -> None:
    script = f"""
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from perception.recording.spool import Spool
spool = Spool(Path({str(tmp_path)!r}), 10)
put = 0
try:
    while True:
        spool.put(put, [bytes([put]) * 1000])
        put += 1
except OSError as error:
    print(error.strerror)
print(all(spool.take(0.0) == (number, (bytes([number]) * 1000,)) for number in range(put)), put, spool.take(0.0))
"""
    result: subprocess.CompletedProcess[str] = on_a_full_disk("-c", script, limit=10_000)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["File too large", "True 10 None"], sys.version
