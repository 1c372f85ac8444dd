"""Turns pip's log into a counter.

Usage: pip install -r LOCK | pip_progress.py LOCK
"""

import sys
from pathlib import Path

EVERY = 20
"""Packages between two lines if the output is not a terminal."""


def main() -> None:
    total = sum("==" in line for line in Path(sys.argv[1]).read_text().splitlines())
    on_terminal = sys.stdout.isatty()
    seen = 0
    for line in sys.stdin:
        if line.startswith("Collecting "):
            seen += 1
            if on_terminal:
                print(f"\r\033[K  {seen} of about {total} packages", end="")
            elif seen % EVERY == 0:
                print(f"  {seen} of about {total} packages")
        elif line.startswith("Installing collected packages"):
            print(("\r\033[K" if on_terminal else "") + f"  unpacking {seen} packages")


if __name__ == "__main__":
    main()
