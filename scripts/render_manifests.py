"""Renders the Helm chart as plain manifests in deploy/kubernetes, for those who do not use Helm.

python -m scripts.render_manifests
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "deploy/helm/memoir"
MANIFESTS: Final = ROOT / "deploy/kubernetes"
KUBERNETES: Final = "1.37.0"

_NOTE: Final = (
    "# Rendered from deploy/helm/memoir by `make manifests`: change the chart, not this file.\n"
)
_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "migration.yaml": ("--show-only", "templates/migration.yaml"),
    "memoir.yaml": ("--no-hooks",),
}


def render(*arguments: str) -> str:
    """Returns the manifests of the chart, as `helm template` prints them.

    Raises:
        FileNotFoundError: helm is missing; `make tools` builds it.
        subprocess.CalledProcessError: the chart is wrong.
    """
    local = ROOT / ".local/bin/helm"
    helm = str(local) if local.exists() else shutil.which("helm")
    if helm is None:
        raise FileNotFoundError("helm is missing: run `make tools`")
    command = [helm, "template", "memoir", str(CHART), "--namespace", "memoir"]
    return subprocess.run(
        [*command, "--kube-version", KUBERNETES, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def manifests() -> dict[str, str]:
    """Returns the content of each file in deploy/kubernetes."""
    return {name: _NOTE + render(*arguments) for name, arguments in _ARGUMENTS.items()}


def main() -> None:
    """Writes the files."""
    MANIFESTS.mkdir(parents=True, exist_ok=True)
    for name, text in manifests().items():
        (MANIFESTS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
