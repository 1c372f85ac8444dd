"""Regular expressions that are written in TOML files, over several lines and from named parts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

_REFERENCE: Final = re.compile(r"(?<!P)<(\w+)>")


def _no_words(name: str) -> Iterable[str]:
    raise KeyError(name)


def data_file(package: str, name: str) -> dict[str, Any]:
    """Returns the content of the TOML file `name` of a package."""
    path = files(package).joinpath(f"{name}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


class Patterns:
    """The patterns of a file by their names.

    Line ends and indentation are ignored. `<name>` stands for another pattern, or for any of the
    words that `words` returns for the name.

    Raises:
        KeyError: a pattern refers to a name that does not exist.
    """

    def __init__(
        self, patterns: Mapping[str, str], words: Callable[[str], Iterable[str]] = _no_words
    ) -> None:
        self._patterns = patterns
        self._words = words

    def __call__(self, name: str) -> re.Pattern[str]:
        """Returns a pattern for text in any case."""
        return re.compile(self._expanded(self._patterns[name]), re.IGNORECASE)

    def compiled(self, text: str) -> re.Pattern[str]:
        """Returns a pattern that is written as in the file, for text in lower case."""
        return re.compile(self._expanded(text))

    def _expanded(self, text: str) -> str:
        text = "".join(map(str.strip, text.splitlines()))
        return _REFERENCE.sub(lambda match: f"(?:{self._replacement(match.group(1))})", text)

    def _replacement(self, name: str) -> str:
        if name in self._patterns:
            return self._expanded(self._patterns[name])
        return "|".join(map(re.escape, sorted(self._words(name))))
