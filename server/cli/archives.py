"""`export` and `import`: whole projects."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from rich.markup import escape

from server.cli.backends import open_store
from server.cli.console import err, fail, progress_of
from server.projects.archive.export_import import Imported, ImportMem0, Mem0Imported
from server.runtime.composition.commands import (
    open_export,
    open_import,
    open_mem0_import,
    open_mem0_platform_import,
)

MEM0_TABLE = "mem0"
PLATFORM = "mem0-platform"
HOST = "https://api.mem0.ai"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds both commands."""
    export = commands.add_parser(
        "export",
        help="export a project as lines of JSON",
        description="Writes the settings, calls, messages, history and memories of a project as of "
        "one instant, without API keys. Servers may keep running.",
    )
    export.add_argument("file", help="file to write, or - for standard output")
    export.add_argument("--project", required=True, help="project to export")
    export.add_argument(
        "--embeddings",
        action="store_true",
        help="include the embeddings: a larger file, but a store with the same model need not "
        "embed the texts when it imports them",
    )
    export.set_defaults(run=export_project)
    load = commands.add_parser(
        "import",
        help="import an exported project, or the memories of Mem0",
        description="Imports into a project that holds nothing else. Safe to interrupt and "
        "repeat: existing rows stay unchanged. Servers update the graph on their own.",
    )
    source = load.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file",
        nargs="?",
        help=f"file to read, - for standard input, or {PLATFORM} for an account of Mem0's platform",
    )
    source.add_argument(
        "--from-mem0",
        metavar="DSN",
        help="database in which Mem0 OSS keeps its memories (pgvector)",
    )
    load.add_argument("--project", required=True, help="project to import into")
    load.add_argument(
        "--table", default=MEM0_TABLE, help="table of Mem0 OSS (default: %(default)s)"
    )
    load.add_argument(
        "--api-key-file", type=Path, help=f"file with the API key of the account, for {PLATFORM}"
    )
    load.add_argument("--host", default=HOST, help="address of the platform (default: %(default)s)")
    load.set_defaults(run=import_project)


async def export_project(arguments: argparse.Namespace) -> None:
    """Runs `export`."""
    async with (
        open_store() as store,
        open_export(store.settings, store.dsn) as export,
    ):
        with _writable(arguments.file) as file, progress_of("writing") as report:
            counts = await export(
                arguments.project,
                lambda line: _write_line(file, line),
                embeddings=arguments.embeddings,
                on_progress=report,
            )
    err.print("wrote " + ", ".join(f"{count} {kind}s" for kind, count in counts.items()))


async def import_project(arguments: argparse.Namespace) -> None:
    """Runs `import`."""
    if arguments.from_mem0:
        await _import_mem0(arguments)
        return
    if arguments.file == PLATFORM:
        await _import_platform(arguments)
        return
    async with (
        open_store() as store,
        open_import(store.settings, store.dsn) as load,
    ):
        with _readable(arguments.file) as file, progress_of("reading") as report:
            imported = await load(arguments.project, file, report)
    _print_imported(imported)


async def _import_mem0(arguments: argparse.Namespace) -> None:
    async with (
        open_store() as store,
        open_mem0_import(
            store.settings, store.dsn, arguments.from_mem0, arguments.table
        ) as importer,
    ):
        imported = await _import(importer, arguments.project, arguments.table)
    _print_mem0_imported(imported)


async def _import_platform(arguments: argparse.Namespace) -> None:
    if arguments.api_key_file is None:
        fail(f"import {PLATFORM} needs --api-key-file", status=2)
    api_key = arguments.api_key_file.read_text(encoding="utf-8").strip()
    async with (
        open_store() as store,
        open_mem0_platform_import(store.settings, store.dsn, arguments.host, api_key) as importer,
    ):
        # The digest distinguishes accounts, so that the import of an account can be repeated.
        account = f"{arguments.host}#{sha256(api_key.encode()).hexdigest()}"
        imported = await _import(importer, arguments.project, account)
    _print_mem0_imported(imported)


async def _import(importer: ImportMem0, project_id: str, source: str) -> Mem0Imported:
    with progress_of("reading") as report:
        return await importer(project_id, source, report)


def _print_imported(imported: Imported) -> None:
    for kind, count in imported.read.items():
        err.print(f"{count} {kind}s read, {imported.new[kind]} of them new")


def _print_mem0_imported(imported: Mem0Imported) -> None:
    counts = f"{imported.new} of them new, {imported.duplicates} duplicates"
    err.print(f"{imported.read} memories read, {counts}")
    for fault, count in imported.unusable.items():
        examples = ", ".join(str(memory) for memory in imported.examples[fault])
        err.print(f"{count} left out: {escape(fault)} ({examples})")
    if imported.unusable:
        sys.exit(1)


def _write_line(file: TextIO, line: str) -> None:
    file.write(line + "\n")


@contextmanager
def _writable(name: str) -> Iterator[TextIO]:
    """Yields standard output, or a file that gets its final name when it is complete."""
    if name == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    path = Path(name)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as file:
        yield file
    unfinished.replace(path)


@contextmanager
def _readable(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    with Path(name).open(encoding="utf-8") as file:
        yield file
