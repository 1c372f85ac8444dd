"""SQL statements in files, with named parameters and shared blocks.

A file holds statements and blocks, each after a heading in a comment:

    -- block: visible
    (:visible_on::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= :visible_on)

    -- name: list (scope)
    SELECT m.memory_id FROM memories AS m
    WHERE m.project_id = :project_id AND {scope} AND {visible};

`:visible_on` is a parameter, and `{visible}` a block of the same file or of a file that is loaded
with it. Blocks may contain other blocks. `{scope}` is a slot: text that is only known when the
statement is used, such as the condition of a filter. A statement lists its slots in its heading.
Comments are removed; string literals, quoted names and casts (`::date`) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Final, TypeAlias

from server.storage.statements import Statements, read_resource, split_blocks

PACKAGE: Final = "server.storage.postgres"

BoundStatement: TypeAlias = tuple[str, *tuple[object, ...]]
"""The text for PostgreSQL and the values of `$1`, `$2`, ..., as asyncpg's methods take them."""

_TOKEN = re.compile(
    r"""
      (?P<comment> [ \t]* --[^\n]* )
    | (?P<literal> [Ee]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | :: )
    | :(?P<parameter> [a-z]\w* )
    | \{ (?P<slot> [a-z]\w* ) \}
    | (?P<positional> \$\d+ )
    """,
    re.VERBOSE,
)
_HEADING = re.compile(r"(?P<name>\w+)[ \t]*(?:\((?P<slots>[\w, ]*)\))?")


class SqlStatement:
    """A statement whose parameters are bound by name: `connection.fetch(*statement(limit=5))`."""

    __slots__ = ("_template", "_values_of", "name", "parameters", "slots", "text")

    def __init__(self, name: str, template: str) -> None:
        self._template = template
        self.name = name
        self.slots = frozenset(_names(template, "slot"))
        self.parameters = tuple(dict.fromkeys(_names(template, "parameter")))
        self.text = "" if self.slots else f"-- name: {name}\n{_numbered(template, self.parameters)}"
        self._values_of = _getter_of(self.parameters)

    def __call__(self, /, **values: object) -> BoundStatement:
        """Returns the statement with these values.

        Raises:
            TypeError: a parameter has no value, a name is unknown, or a slot is open.
        """
        try:
            in_order = self._values_of(values)
        except KeyError:
            raise self._mismatch(values) from None
        if len(values) != len(in_order) or not self.text:
            raise self._mismatch(values)
        return self.text, *in_order

    def fill(self, **slots: str) -> SqlStatement:
        """Returns the statement with text in its slots. Never use it for values, which are bound.

        Raises:
            TypeError: a slot gets no text, or a name is unknown.
        """
        if slots.keys() != self.slots:
            raise TypeError(f"{self.name} has the slots {sorted(self.slots)}, not {sorted(slots)}")
        return _filled(self.name, self._template, tuple(slots.items()))

    def _mismatch(self, values: Mapping[str, object]) -> TypeError:
        if self.slots:
            return TypeError(f"{self.name} has open slots: {sorted(self.slots)}")
        missing = sorted(set(self.parameters) - values.keys())
        unknown = sorted(values.keys() - set(self.parameters))
        return TypeError(f"{self.name}: missing values {missing}, unknown ones {unknown}")


class SqlFile(Statements[SqlStatement]):
    """The statements of a file by name, and its blocks as text for slots."""

    __slots__ = ("blocks",)

    def __init__(
        self, file: str, statements: Mapping[str, SqlStatement], blocks: Mapping[str, str]
    ) -> None:
        super().__init__(file, statements)
        self.blocks = dict(blocks)


def load_sql(filename: str, *shared: str, package: str = PACKAGE) -> SqlFile:
    """Reads a file; its statements may also contain the blocks of the `shared` files.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a heading is malformed or occurs twice, a body is empty, a parameter has a
            number instead of a name, a block contains itself, or the slots of a statement differ
            from its heading.
    """
    blocks: dict[str, str] = {}
    for other in shared:
        blocks |= _read(package, other)[1]
    bodies, own = _read(package, filename)
    if twice := blocks.keys() & own.keys():
        raise ValueError(f"{filename}: {sorted(twice)} is also a block of {shared}")
    blocks |= own
    statements = {}
    for heading, body in bodies.items():
        name, declared = _parse_heading(filename, heading)
        statement = SqlStatement(name, _resolved(filename, body, blocks))
        if statement.slots != declared:
            raise ValueError(
                f"{filename}: {name} lists the slots {sorted(declared)} and has "
                f"{sorted(statement.slots)}"
            )
        statements[name] = statement
    resolved = {name: _resolved(filename, body, blocks) for name, body in blocks.items()}
    return SqlFile(filename, statements, resolved)


def fill_block(block: str, **slots: str) -> str:
    """Returns a block with text in its slots."""
    return _TOKEN.sub(lambda token: slots.get(token["slot"] or "", token[0]), block)


def _read(package: str, filename: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Returns the statements by heading and the blocks by name, without comments."""
    text = read_resource(package, filename)
    statements, blocks = split_blocks(filename, text, "--", ("name", "block"))
    return _cleaned(filename, statements), _cleaned(filename, blocks)


def _cleaned(filename: str, bodies: Mapping[str, str]) -> dict[str, str]:
    return {heading: _without_comments(filename, body) for heading, body in bodies.items()}


def _without_comments(filename: str, body: str) -> str:
    if numbered := _names(body, "positional"):
        raise ValueError(f"{filename}: {numbered[0]} in place of a named parameter")
    bare = _TOKEN.sub(lambda token: "" if token["comment"] is not None else token[0], body)
    return "\n".join(line for line in bare.splitlines() if line.strip()).strip()


def _parse_heading(filename: str, heading: str) -> tuple[str, frozenset[str]]:
    parsed = _HEADING.fullmatch(heading)
    if parsed is None:
        raise ValueError(f"{filename}: {heading!r} is not a name, perhaps with slots")
    return parsed["name"], frozenset(re.findall(r"\w+", parsed["slots"] or ""))


def _resolved(
    filename: str, body: str, blocks: Mapping[str, str], within: tuple[str, ...] = ()
) -> str:
    """Returns the text with all blocks inserted, recursively."""

    def expand(token: re.Match[str]) -> str:
        name = token["slot"]
        if name is None or name not in blocks:
            return token[0]
        if name in within:
            raise ValueError(f"{filename}: the block {name} contains itself")
        return _resolved(filename, blocks[name], blocks, (*within, name))

    return _TOKEN.sub(expand, body)


@lru_cache(maxsize=512)
def _filled(name: str, template: str, slots: tuple[tuple[str, str], ...]) -> SqlStatement:
    statement = SqlStatement(name, fill_block(template, **dict(slots)))
    if statement.slots:
        raise TypeError(f"{name} still has open slots: {sorted(statement.slots)}")
    return statement


def _names(text: str, kind: str) -> list[str]:
    return [token[kind] for token in _TOKEN.finditer(text) if token[kind] is not None]


def _numbered(template: str, parameters: tuple[str, ...]) -> str:
    numbers = {name: f"${number}" for number, name in enumerate(parameters, 1)}
    return _TOKEN.sub(lambda token: numbers.get(token["parameter"] or "", token[0]), template)


def _getter_of(names: tuple[str, ...]) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    """Returns a function that returns the values of these names in a mapping, in order."""
    if not names:
        return lambda _values: ()
    if len(names) == 1:
        name = names[0]
        return lambda values: (values[name],)
    return itemgetter(*names)
