"""Contract types for import-linter: what packages and rooms may import, and that nothing is cyclic.

The built-in `forbidden` type lists what may not be imported, which a new dependency slips past.
"""

import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ImportsOnlyContract(Contract):
    """Packages import themselves, the standard library and `allowed_modules`, and nothing else.

    `any_external = true` leaves third-party packages unrestricted. A source package that does not
    exist yet keeps the contract.
    """

    type_name = "imports_only"

    # Declared as fields, but each holds its parsed value in an instance: hence the casts below.
    source_modules = fields.SetField(subfield=fields.StringField())
    allowed_modules = fields.SetField(subfield=fields.StringField())
    any_external = fields.BooleanField(required=False, default=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect every direct import that leaves what is allowed."""
        sources = sorted(cast("set[str]", self.source_modules))
        output.verbose_print(verbose, f"Checking imports of {', '.join(sources)}...")
        broken = [
            (importer, imported)
            for source in sources
            for importer, imported in _imports_of(graph, _modules_within(graph, source))
            if not self._allows(source, imported)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import that breaks the contract."""
        allowed = ", ".join(sorted(cast("set[str]", self.allowed_modules))) or "nothing else"
        output.print_error(f"Besides itself and the standard library it may import: {allowed}.")
        _print_imports(check.metadata["broken"])

    def _allows(self, source: str, imported: str) -> bool:
        allowed = cast("set[str]", self.allowed_modules)
        if _is_within_any(imported, (source, *allowed)):
            return True
        if imported.partition(".")[0] == "server":
            return False
        return cast("bool", self.any_external) or _is_standard(imported)


class RoomsContract(Contract):
    """A room holds rules, ports and use cases, and each kind of module knows only what it may.

    Modules called `ports` are ports, those listed in `use_cases` are use cases, and every other
    module of a room is a rule, which is the strictest kind: rules import rules, the standard
    library and `rule_libraries`. Ports import rules and ports. Use cases import all three, and
    `use_case_libraries`. The `doors` import rules and use cases, but no port.
    """

    type_name = "rooms"

    rooms = fields.SetField(subfield=fields.StringField())
    use_cases = fields.SetField(subfield=fields.StringField())
    doors = fields.SetField(subfield=fields.StringField())
    rule_libraries = fields.SetField(subfield=fields.StringField())
    use_case_libraries = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect every import that a module's kind does not allow, and use cases that are gone."""
        rooms = sorted(cast("set[str]", self.rooms))
        output.verbose_print(verbose, f"Checking the rooms {', '.join(rooms)}...")
        modules = {module for room in rooms for module in _modules_within(graph, room)}
        broken = [
            (importer, imported)
            for importer, imported in _imports_of(graph, modules)
            if not self._allows(self._kind(importer), imported)
        ]
        for door in sorted(cast("set[str]", self.doors)):
            broken += [
                (importer, imported)
                for importer, imported in _imports_of(graph, _modules_within(graph, door))
                if self._is_in_a_room(imported) and self._kind(imported) == "port"
            ]
        gone = sorted(cast("set[str]", self.use_cases) - graph.modules)
        return ContractCheck(kept=not (broken or gone), metadata={"broken": broken, "gone": gone})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import that breaks the contract, with the importer's kind."""
        for importer, imported in check.metadata["broken"]:
            kind = self._kind(importer) if self._is_in_a_room(importer) else "door"
            output.print_error(f"  {importer} ({kind}) -> {imported}", bold=False)
        for module in check.metadata["gone"]:
            output.print_error(f"  {module} is listed as a use case and does not exist", bold=False)
        output.new_line()

    def _kind(self, module: str) -> str:
        if module in cast("set[str]", self.use_cases):
            return "use case"
        return "port" if module.rpartition(".")[2] == "ports" else "rule"

    def _is_in_a_room(self, module: str) -> bool:
        return _is_within_any(module, cast("set[str]", self.rooms))

    def _allows(self, kind: str, imported: str) -> bool:
        if _is_standard(imported):
            return True
        if self._is_in_a_room(imported):
            allowed = {"rule": {"rule"}, "port": {"rule", "port"}}
            return kind == "use case" or self._kind(imported) in allowed[kind]
        libraries = cast("set[str]", self.rule_libraries)
        if kind == "use case":
            libraries = libraries | cast("set[str]", self.use_case_libraries)
        return _is_within_any(imported, libraries)


class NoCyclesContract(Contract):
    """No module imports itself by way of others, not even where a function imports late."""

    type_name = "no_cycles"

    package = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look for one cycle among the package's modules."""
        package = str(self.package)
        output.verbose_print(verbose, f"Looking for cycles in {package}...")
        modules = _modules_within(graph, package)
        imported_by = {
            module: graph.find_modules_directly_imported_by(module) & modules for module in modules
        }
        try:
            TopologicalSorter(imported_by).prepare()
        except CycleError as error:
            return ContractCheck(kept=False, metadata={"cycle": error.args[1]})
        return ContractCheck(kept=True)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the modules of the cycle, each imported by the next."""
        output.print_error("  " + " <- ".join(check.metadata["cycle"]), bold=False)
        output.new_line()


def _imports_of(graph: ImportGraph, modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    for importer in sorted(modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            yield importer, imported


def _print_imports(imports: Iterable[tuple[str, str]]) -> None:
    for importer, imported in imports:
        output.print_error(f"  {importer} -> {imported}", bold=False)
    output.new_line()


def _modules_within(graph: ImportGraph, package: str) -> set[str]:
    if package not in graph.modules:
        return set()
    return {package, *graph.find_descendants(package)}


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _is_within_any(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
