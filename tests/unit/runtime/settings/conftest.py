"""An environment without variables of the service."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(("MEMOIR_", "GEMINI_")):
            monkeypatch.delenv(name)
