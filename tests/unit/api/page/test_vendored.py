"""The vendored libraries of the page are those in the manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import server.api.page

VENDOR = Path(server.api.page.__file__).parent / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"
LIBRARIES = json.loads(MANIFEST.read_text(encoding="utf-8"))
DIGESTS = {file["name"]: file["sha256"] for library in LIBRARIES for file in library["files"]}


def test_exactly_the_files_of_the_manifest_exist_with_their_digests() -> None:
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path != MANIFEST
    }
    assert found == DIGESTS


def test_each_library_has_its_licence() -> None:
    for library in LIBRARIES:
        licence = (VENDOR / f"{library['package']}.LICENSE").read_text(encoding="utf-8")
        assert "Permission is hereby granted, free of charge" in licence
        assert library["license"] == "MIT"
