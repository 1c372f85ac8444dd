"""Database statements in files of their own language, as named blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import TypeVar

_NAME = re.compile(r"(?:--|//) name: (?P<name>\w+)\n")
_BLOCK = re.compile(r"\{(?P<name>\w+)\}")

StatementT = TypeVar("StatementT")


class Statements(Mapping[str, StatementT]):
    """The statements of one file by name. It cannot be changed."""

    __slots__ = ("_statements", "file")

    def __init__(self, file: str, statements: Mapping[str, StatementT]) -> None:
        self.file = file
        self._statements = dict(statements)

    def __getitem__(self, name: str) -> StatementT:
        """Returns the statement with this name.

        Raises:
            KeyError: there is none; the message names the file and its statements.
        """
        if name not in self._statements:
            raise KeyError(f"{self.file} has no statement {name!r}, only {sorted(self)}")
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


def load_cypher(package: str, filename: str) -> Mapping[str, str]:
    """Returns the named statements of a Cypher file in `package`, in the order of the file.

    A statement begins with a line `// name: some_name` and ends before the next such line. It keeps
    its comments and its name, which the database and traces show. Only comments may precede the
    first statement. `{some_block}` is replaced by the text after a line `// block: some_block`.
    Parameters are Cypher's own, such as `$project_id`.

    Raises:
        FileNotFoundError: the package has no such file.
        ValueError: a name is missing, malformed or occurs twice, a statement is empty, or a
            statement precedes the first name.
    """
    text = read_resource(package, filename)
    texts, blocks = split_blocks(filename, text, "//", ("name", "block"))
    for name in texts:
        if not name.isidentifier():
            raise ValueError(f"{filename}: {name!r} is not a name")
    named = {
        name: f"// name: {name}\n" + _BLOCK.sub(lambda at: blocks.get(at["name"], at[0]), body)
        for name, body in texts.items()
    }
    return Statements(f"{package}/{filename}", named)


@lru_cache(maxsize=1024)
def statement_name(statement: str) -> str:
    """Returns the name of a named statement, else the first word, such as `BEGIN`."""
    named = _NAME.match(statement)
    if named:
        return named["name"]
    words = statement.split(maxsplit=1)
    return words[0].strip(";") if words else ""


def read_resource(package: str, filename: str) -> str:
    """Returns the text of a file in `package`."""
    return resources.files(package).joinpath(filename).read_text(encoding="utf-8")


def split_blocks(
    file: str, text: str, comment: str, kinds: Sequence[str]
) -> tuple[Mapping[str, str], ...]:
    """Returns the bodies of each kind by heading, such as `some_name` after `-- name:`.

    Raises:
        ValueError: a heading occurs twice, a body is empty, or code precedes the first heading.
    """
    heading_line = re.compile(
        rf"^{re.escape(comment)}[ \t]*({'|'.join(kinds)}):(.*)$", re.MULTILINE
    )
    preamble, *remainder = heading_line.split(text)
    if _code(preamble, comment):
        raise ValueError(f"{file}: a statement before the first name")
    found: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
    for kind, raw_heading, body in zip(
        remainder[::3], remainder[1::3], remainder[2::3], strict=True
    ):
        heading = raw_heading.strip()
        if heading in found[kind]:
            raise ValueError(f"{file}: {heading!r} occurs twice")
        if not _code(body, comment):
            raise ValueError(f"{file}: {heading!r} is empty")
        found[kind][heading] = body.strip()
    return tuple(found.values())


def _code(text: str, comment: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(comment)]
