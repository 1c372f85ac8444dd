"""The imports and the embedder of the tests' fork server, so that no started server repeats them.

They must not depend on the environment or the standard streams, which each child replaces.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from unittest import mock

# The console inspects the standard output at import; a child's is never a terminal.
os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

_COMMANDS = import_module("server.__main__").MODULES.values()
_LATER = (
    "server.api.mcp",
    "server.cli.worker",
    "server.models.offline.embedder",
    "server.models.offline.language_model",
    "server.models.gemini.embedder",
    "server.models.gemini.language_model",
    "server.models.gemini.reranker",
)
for _module in (*(f"server.cli.{command}" for command in _COMMANDS), *_LATER):
    import_module(_module)

# Loading it takes most of the time that a started server would take. Executed ones load it.
_Embedder = import_module("server.models.offline.embedder").OfflineEmbedder
mock.patch.object(_Embedder, "load", return_value=_Embedder.load()).start()

# Garbage collection would otherwise copy the pages that all children share.
gc.freeze()
