"""Results of calls, converted from messages."""

from __future__ import annotations

import memoir
from memoir.v1 import memory_service_pb2


def test_an_add_has_its_notices() -> None:
    message = memory_service_pb2.AddMemoriesResponse()
    message.notices.add(reason=memory_service_pb2.NOTICE_REASON_FILTERED, text="1 change")
    message.notices.add(reason=9999, text="later")  # as a newer server sends
    assert memoir.AddResult.from_proto(message).notices == (
        memoir.Notice("NOTICE_REASON_FILTERED", "1 change"),
        memoir.Notice("9999", "later"),
    )
