"""Failpoints: how they are armed, and that the process dies exactly there."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from server import failpoints


def test_counts_are_parsed() -> None:
    assert failpoints.parse("") == {}
    assert failpoints.parse("lease.held:1, batch.middle:3,") == {
        "lease.held": 1,
        "batch.middle": 3,
    }


@pytest.mark.parametrize("text", ["nowhere:1", "lease.held", "lease.held:0", "lease.held:x"])
def test_invalid_specifications_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="failpoint"):
        failpoints.parse(text)


def test_unarmed_failpoints_do_nothing() -> None:
    failpoints.arm({})
    for name in failpoints.NAMES:
        failpoints.reach(name)


def test_the_process_dies_at_the_nth_pass() -> None:
    program = (
        "from server import failpoints\n"
        "failpoints.arm(failpoints.parse('lease.held:2'))\n"
        "for number in (1, 2, 3):\n"
        "    failpoints.reach('batch.middle')\n"
        "    print(number, flush=True)\n"
        "    failpoints.reach('lease.held')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == [b"1", b"2"]
