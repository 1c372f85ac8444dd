"""Large work runs in one thread."""

from __future__ import annotations

import asyncio
import threading
import time

from server.runtime.lifecycle import use_one_thread


def _in_a_loop_of_its_own(concurrent: int) -> set[int]:
    """Returns the threads that ran this many concurrent tasks after `use_one_thread`."""

    def work() -> int:
        # Long enough for another thread to start in the meantime, if there were one.
        time.sleep(0.01)
        return threading.get_ident()

    async def run() -> set[int]:
        use_one_thread()
        return set(await asyncio.gather(*(asyncio.to_thread(work) for _ in range(concurrent))))

    return asyncio.run(run())


def test_large_work_runs_one_after_another_in_one_thread() -> None:
    threads = _in_a_loop_of_its_own(4)
    assert len(threads) == 1
    assert threading.get_ident() not in threads
