"""The ring: what was written comes back in order, whatever befell the writer; what is torn or old does not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import ConfigurationError
from robot.flight_log.ring_file import SEGMENTS, RingBusy, RingWriter, is_ring, read_ring
from tests.commands import ROOT, environment, on_a_full_disk

SIZE = 4096

WRITER = """
import sys
from pathlib import Path
from robot.flight_log.ring_file import RingWriter
ring = RingWriter(Path(sys.argv[1]), 4096)
print("ready", flush=True)
number = 0
while True:
    record = number.to_bytes(8, "big") * (1 + number % 40)
    if not ring.fits(len(record)):
        ring.turn()
    ring.write(record)
    number += 1
    sys.stdout.buffer.write(number.to_bytes(8, "big"))
    sys.stdout.buffer.flush()
"""


def write(ring: RingWriter, record: bytes) -> None:
    if not ring.fits(len(record)):
        ring.turn()
    ring.write(record)


def records(folder: Path) -> list[bytes]:
    return [record for segment in read_ring(folder) for record in segment]


@given(parts=st.lists(st.lists(st.binary(min_size=1, max_size=1500), max_size=30), min_size=1, max_size=4))
def test_the_newest_records_come_back_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("ring")
    for part in parts:  # each a process of its own that goes on where the one before ended
        ring = RingWriter(folder, SIZE)
        for record in part:
            write(ring, record)
        ring.close()
    written = [record for part in parts for record in part]
    found = records(folder)
    assert found == written[len(written) - len(found) :]
    assert list(read_ring(folder, last=1)) == list(read_ring(folder))[-1:]
    # At most one segment is being refilled, and each loses at most the room that a record did not fit into.
    room = (SEGMENTS - 1 - len(parts)) * (SIZE - 1500 - 100)
    newest, total = 0, 0
    for record in reversed(written):
        total += len(record) + 8
        if total > room:
            break
        newest += 1
    assert len(found) >= newest


def test_a_writer_killed_at_any_instant_leaves_all_it_had_written(tmp_path: Path) -> None:
    for turn in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        said = process.stdout.read(8 * (50 + 397 * turn))
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.read()
        process.wait()
        done = len(said) // 8
        found = [int.from_bytes(record[:8], "big") for record in records(tmp_path)]
        last = found[-1]
        assert done - 1 <= last <= done  # the last one may have been written and not yet said
        of_this_run = found[len(found) - found[::-1].index(0) - 1 :] if 0 in found else found
        assert of_this_run == list(range(of_this_run[0], last + 1))


def test_a_torn_record_ends_its_segment_and_harms_no_other(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path, SIZE)
    for number in range(12):
        write(ring, bytes([number]) * 1000)
    ring.close()
    segments = [each for each in read_ring(tmp_path) if each]
    assert [len(each) for each in segments] == [4, 4, 4]
    paths = sorted(tmp_path.glob("segment-*"))
    middle = next(path for path in paths if segments[1][2] in path.read_bytes())
    content = bytearray(middle.read_bytes())
    content[content.index(segments[1][2]) + 500] ^= 1
    middle.write_bytes(content)
    assert [len(each) for each in read_ring(tmp_path) if each] == [4, 2, 4]


def test_one_writes_at_a_time_and_a_reader_disturbs_nobody(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path, SIZE)
    with pytest.raises(RingBusy, match="another process"):
        RingWriter(tmp_path, SIZE)
    assert records(tmp_path) == []
    write(ring, b"one")
    assert records(tmp_path) == [b"one"]
    write(ring, b"two")
    assert records(tmp_path) == [b"one", b"two"]
    ring.close()
    RingWriter(tmp_path, SIZE).close()


def test_what_cannot_be_a_ring_is_said_before_anything_is_written(tmp_path: Path) -> None:
    assert not is_ring(tmp_path)
    RingWriter(tmp_path / "ring", SIZE).close()
    assert is_ring(tmp_path / "ring")
    with pytest.raises(ConfigurationError, match="another size"):
        RingWriter(tmp_path / "ring", 2 * SIZE)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        RingWriter(tmp_path / "file", SIZE)
    full = tmp_path / "full"
    code = f"from pathlib import Path\nfrom robot.flight_log.ring_file import *\nRingWriter(Path({str(full)!r}), 4096)"
    assert "cannot be written" in on_a_full_disk("-c", code, limit=2000).stderr


def test_a_segment_that_is_no_file_or_immense_is_told_and_not_waited_for(tmp_path: Path) -> None:
    ring = RingWriter(tmp_path, SIZE)
    write(ring, b"one")
    ring.close()
    segment = tmp_path / "segment-7.ring"
    segment.unlink()
    os.mkfifo(segment)
    with pytest.raises((ConfigurationError, OSError)):
        list(read_ring(tmp_path))
    segment.unlink()
    with segment.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigurationError, match="is larger than"):
        list(read_ring(tmp_path))
