"""Database statements in files of their own language, as named blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources

_NAME = re.compile(r"(?:--|//) name: (?P<name>\w+)\n")


class Statements(Mapping[str, str]):
    """The statements of one file by name. It cannot be changed."""

    __slots__ = ("_file", "_texts")

    def __init__(self, file: str, texts: Mapping[str, str]) -> None:
        self._file = file
        self._texts = dict(texts)

    def __getitem__(self, name: str) -> str:
        """The statement of that name.

        Raises:
            KeyError: the file has none; the message names the file and what it has.
        """
        if name not in self._texts:
            raise KeyError(f"{self._file} has no statement {name!r}, only {sorted(self._texts)}")
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def load_statements(
    package: str, filename: str, comment: str = "--", blocks: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The named blocks of a file that is shipped in `package`, in the order of the file.

    A block begins with a line `-- name: some_name`, where `comment` is what starts a comment in the
    file's language, and ends before the next such line. Its comments stay in it, its name too: the
    database shows a statement with it, and so does a trace. Only comments may stand before the
    first block. The name of one of `blocks` in braces stands for that block.

    Raises:
        FileNotFoundError: the package has no such file.
        ValueError: a name is missing, malformed or there twice, a block is empty, or a statement
            stands before the first name.
    """
    text = resources.files(package).joinpath(filename).read_text(encoding="utf-8")
    file = f"{package}/{filename}"
    texts = _parse(file, text, comment)
    return Statements(file, {name: _filled(body, blocks or {}) for name, body in texts.items()})


@lru_cache(maxsize=1024)
def statement_name(statement: str) -> str:
    """Returns the name of a named block, else the first word, such as `BEGIN`."""
    named = _NAME.match(statement)
    if named:
        return named["name"]
    words = statement.split(maxsplit=1)
    return words[0].strip(";") if words else ""


def _parse(file: str, text: str, comment: str) -> dict[str, str]:
    heading = re.compile(rf"^{re.escape(comment)}[ \t]*name:(.*)$", re.MULTILINE)
    preamble, *rest = heading.split(text)
    if _code(preamble, comment):
        raise ValueError(f"{file}: a statement stands before the first name")
    texts: dict[str, str] = {}
    for raw_name, body in zip(rest[::2], rest[1::2], strict=True):
        name = raw_name.strip()
        if not name.isidentifier():
            raise ValueError(f"{file}: {name!r} is not a name")
        if name in texts:
            raise ValueError(f"{file}: {name!r} is there twice")
        if not _code(body, comment):
            raise ValueError(f"{file}: {name!r} is empty")
        texts[name] = f"{comment} name: {name}\n{body.strip()}"
    return texts


def _filled(body: str, blocks: Mapping[str, str]) -> str:
    for name, block in blocks.items():
        body = body.replace(f"{{{name}}}", block)
    return body


def _code(text: str, comment: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(comment)]
