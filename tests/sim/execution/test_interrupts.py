from __future__ import annotations

import os
import signal
import time

import pytest

from sim.execution.interrupts import deferred_interrupts


def test_ctrl_c_takes_effect_when_the_work_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        done.append("whole")
    assert done == ["whole"]


def test_without_a_signal_nothing_happens_and_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with deferred_interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    try:
        with deferred_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
    finally:
        assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN
