"""Generates the typed Python code of the contract into a folder.

    python -m scripts.generate_protos [--out generated]

The imported contracts (protovalidate's rules, google.api, google.longrunning, google.rpc) are taken
from the descriptors in the installed wheels, so that there is no copy of them here and they always
match the run-time libraries.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.api import annotations_pb2
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ROOT / "generated"

BIN = Path(sys.executable).parent
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")

# protovalidate's own Python types belong to another runtime than grpcio's, so the classes of rules
# that our modules import are generated from its descriptor.
RULES = "buf/validate/validate.proto"
COMMENTS = "memoir/v1/comments.json"


def contract_files(protos: Path = PROTOS) -> list[str]:
    """Returns the names of the contract's own .proto files, relative to `protos`, sorted."""
    return sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))


def imported_descriptors() -> descriptor_pb2.FileDescriptorSet:
    """Returns the descriptors of all imports of the contract, dependencies first."""
    result = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        file.CopyToProto(result.file.add())

    add(annotations_pb2.DESCRIPTOR)
    add(operations_pb2.Operation.DESCRIPTOR.file)
    add(status_pb2.DESCRIPTOR)
    result.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return result


def run_protoc(*arguments: str, protos: Path = PROTOS) -> None:
    """Runs protoc on the contract in `protos` with the imports in place.

    Raises:
        SystemExit: protoc found an error, which it has printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        imports = Path(folder) / "imports.binpb"
        imports.write_bytes(imported_descriptors().SerializeToString(deterministic=True))
        command = [
            "protoc",
            f"--proto_path={protos}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--descriptor_set_in={imports}",
            *(f"--plugin={plugin}={BIN / plugin}" for plugin in PLUGINS),
            *arguments,
        ]
        status = protoc.main(command)
    if status != 0:
        sys.exit(f"protoc failed with status {status}")


def write_image(path: Path, protos: Path = PROTOS) -> None:
    """Writes the contract and its imports as one descriptor set, comments included."""
    run_protoc(
        f"--descriptor_set_out={path}",
        "--include_imports",
        "--include_source_info",
        *contract_files(protos),
        protos=protos,
    )


def write_comments(path: Path) -> None:
    """Writes the contract's comments on each message, field and method, by full name.

    The OpenAPI document needs them, and the generated modules do not contain them.
    """
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        write_image(image)
        described = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    own = set(contract_files())
    comments: dict[str, str] = {}
    for file in described.file:
        if file.name in own:
            comments.update(_comments_of(file))
    path.write_text(json.dumps(comments, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _comments_of(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        text = " ".join((location.leading_comments or location.trailing_comments).split())
        if text and (name := _declared_at(file, location.path)):
            yield name, text


def _declared_at(file: descriptor_pb2.FileDescriptorProto, path: Sequence[int]) -> str | None:
    """Returns the full name of the declaration at a path in a file; None if there is none.

    The path consists of field numbers and indexes:
    https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto
    """
    place: Any = file
    names = [file.package]
    for number in path:
        if not isinstance(place, Message):
            place = place[number]
            names.append(getattr(place, "name", ""))
        elif (field := place.DESCRIPTOR.fields_by_number.get(number)) and field.is_repeated:
            place = getattr(place, field.name)
        else:
            return None
    return ".".join(names) if isinstance(place, Message) and all(names[1:]) else None


def generate(out: Path) -> None:
    """Generates messages, stubs and type stubs into `out`, replacing its content.

    If the contract has errors, the content stays unchanged.
    """
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "generated"
        fresh.mkdir()
        _generate_into(fresh)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(fresh, out)


def _generate_into(out: Path) -> None:
    contract = contract_files()
    run_protoc(f"--python_out={out}", f"--mypy_out=quiet:{out}", RULES, *contract)
    services = [name for name in contract if name.endswith("_service.proto")]
    run_protoc(f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}", *services)
    write_comments(out / COMMENTS)
    for package in {Path(name).parent for name in (RULES, *contract)}:
        for folder in (package, *package.parents):
            if folder != Path():
                (out / folder / "__init__.py").touch()
        (out / package.parts[0] / "py.typed").touch()


def main() -> None:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=GENERATED, help="folder (default: generated)")
    generate(parser.parse_args().out)


if __name__ == "__main__":
    main()
