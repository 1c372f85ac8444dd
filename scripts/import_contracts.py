"""A contract type for import-linter that lists what a package may import.

The built-in `forbidden` type lists what it may not, which a new dependency slips past.
"""

import sys
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
            for importer in sorted(_modules_within(graph, source))
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._allows(source, imported)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each import that breaks the contract."""
        allowed = ", ".join(sorted(cast("set[str]", self.allowed_modules))) or "nothing else"
        output.print_error(f"Besides itself and the standard library it may import: {allowed}.")
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"  {importer} -> {imported}", bold=False)
        output.new_line()

    def _allows(self, source: str, imported: str) -> bool:
        allowed = cast("set[str]", self.allowed_modules)
        if any(_is_within(imported, package) for package in (source, *allowed)):
            return True
        root = imported.partition(".")[0]
        if root == "server":
            return False
        return cast("bool", self.any_external) or root in sys.stdlib_module_names


def _modules_within(graph: ImportGraph, package: str) -> set[str]:
    if package not in graph.modules:
        return set()
    return {package, *graph.find_descendants(package)}


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
