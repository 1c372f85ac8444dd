"""The documents agree with the project: files, settings, targets, tests, decisions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from memoir.channels import API_KEY_VARIABLE, TLS_FILE_VARIABLES, TLS_VARIABLE
from memoir.mcp.stdio import ADDRESS_VARIABLE, SCOPE_VARIABLES
from opentelemetry.sdk.trace import TracerProvider
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from server.api.grpc.admission import Admission, AdmissionLimits
from server.api.grpc.interceptors.chain import build_chain
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.rate_limit import RateLimiter
from server.projects.project import Caller, Principal
from server.runtime.settings import SECTIONS
from server.telemetry.metrics import REGISTRY
from server.telemetry.statistics import Statistics

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
ARCHITECTURE = DOCS / "architecture.md"
OPERATIONS = DOCS / "operations.md"
PROMISES = DOCS / "promises.md"
ADRS = DOCS / "adr"

MOST_ADR_LINES = 40

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
_FENCE = re.compile(r"^[ \t]*```.*?^[ \t]*```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\b(?:MEMOIR|GEMINI)_[A-Z0-9_]+\b")
_DOCUMENTED_DEFAULT = re.compile(r"^\| `([A-Z0-9_]+)` \| (`[^`]*`|none|empty) \|", re.MULTILINE)
_INLINE_TARGET = re.compile(r"`make ((?:[a-z0-9-]+)(?: [a-z0-9-]+)*)")
_FENCED_TARGET = re.compile(r"^[ \t]*(?:\$ )?make ([a-z0-9-]+)", re.MULTILINE)
_TARGET = re.compile(r"^([a-z0-9-]+):.*##", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_CODE = re.compile(r"`([^`\n]+)`")
# Words of several capitalized parts, such as SearchMemories.
_CAPITALIZED = re.compile(r"\b(?:[A-Z][a-z]+){2,}\b")
_PROMISE = re.compile(r"^## (P\d+): (.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_DECISION = re.compile(r"^\| \[(\d{4})\]\(\S+\) \| (.+) \|$", re.MULTILINE)
_EVENT = re.compile(r"_?log\.(?:debug|info|warning|error)\(\s*\"([^\"]+)\"")
# Events of an outage are logged by an object that gets their names.
_OUTAGE_EVENT = re.compile(r"\b(?:began|ended)=\"([^\"]+)\"")
_STORED = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_FREQUENT_EVENT = re.compile(r'FrequentEvent\("[^"]+", "([^"]+)"\)')


def documents() -> list[Path]:
    """Returns all Markdown files of the project, except installed and downloaded ones."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("benchmarks/**/*.md")])


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """Returns the link fragments that GitHub derives from headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(text)))
    return {heading.replace(" ", "-") for heading in plain}


def environment_names(settings: type[BaseSettings], name: str, field: FieldInfo) -> list[str]:
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [f"{settings.model_config.get('env_prefix', '')}{name}".upper()]


def setting_fields() -> Iterator[tuple[list[str], FieldInfo]]:
    for settings in SECTIONS:
        for name, field in settings.model_fields.items():
            yield environment_names(settings, name, field), field


def shown_default(default: object) -> str:
    """Returns a default as it is written in a table."""
    if default is None:
        return "none"
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    if plain == "":
        return "empty"
    if isinstance(plain, bool):
        return str(plain).lower()
    return f"{plain:g}" if isinstance(plain, float) else str(plain)


def defaults() -> Mapping[str, str]:
    return {names[0]: shown_default(field.default) for names, field in setting_fields()}


@pytest.mark.parametrize("path", documents(), ids=named)
def test_links_have_targets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target, fragment in _LINK.findall(prose(text)):
        linked = (path.parent / target).resolve() if target else path
        assert linked.exists(), f"{target} does not exist"
        assert linked.is_relative_to(ROOT), f"{target} is outside the project"
        if fragment:
            assert fragment in anchors(linked.read_text(encoding="utf-8")), f"no #{fragment}"


def test_exactly_the_settings_are_documented() -> None:
    exist = {name for names, _ in setting_fields() for name in names}
    assert set(_VARIABLE.findall(OPERATIONS.read_text(encoding="utf-8"))) == exist


@pytest.mark.parametrize("path", documents(), ids=named)
def test_documents_name_only_existing_settings(path: Path) -> None:
    of_clients = {API_KEY_VARIABLE, ADDRESS_VARIABLE, *SCOPE_VARIABLES.values()}
    of_clients |= {TLS_VARIABLE, *TLS_FILE_VARIABLES}
    exist = {name for names, _ in setting_fields() for name in names} | of_clients
    assert set(_VARIABLE.findall(path.read_text(encoding="utf-8"))) <= exist


def test_documented_defaults_equal_those_of_the_code() -> None:
    rows = _DOCUMENTED_DEFAULT.findall(OPERATIONS.read_text(encoding="utf-8"))
    assert {name: shown.strip("`") for name, shown in rows} == defaults()


def test_every_decision_is_in_the_index_once_and_in_order() -> None:
    files = sorted(path.name for path in ADRS.glob("[0-9]*.md"))
    index = (ADRS / "README.md").read_text(encoding="utf-8")
    assert [target for target, _ in _LINK.findall(index)] == files
    numbers = [name[:4] for name in files]
    assert len(set(numbers)) == len(numbers)
    assert _DECISION.findall(index) == [title_of(name) for name in files]


def title_of(decision: str) -> tuple[str, str]:
    """Returns the number and the title of a decision record, as its heading has them."""
    heading = (ADRS / decision).read_text(encoding="utf-8").splitlines()[0]
    number, _, title = heading.removeprefix("# ").partition(": ")
    return number, title


@pytest.mark.parametrize("path", sorted(ADRS.glob("[0-9]*.md")), ids=named)
def test_every_decision_has_its_sections_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    title, *headings = _HEADING.findall(text)
    assert title.startswith(f"{path.name[:4]}: ")
    assert text.splitlines()[2].startswith("Status: ")
    assert [part for part in headings if part != "Alternatives"] == [
        "Context",
        "Decision",
        "Consequences",
    ]
    assert len(text.splitlines()) <= MOST_ADR_LINES


def named_targets(text: str) -> set[str]:
    inline = {match.split()[0] for match in _INLINE_TARGET.findall(prose(text))}
    fenced = (target for block in _FENCE.findall(text) for target in _FENCED_TARGET.findall(block))
    return inline.union(fenced)


@pytest.mark.parametrize("path", documents(), ids=named)
def test_documents_name_only_existing_make_targets(path: Path) -> None:
    exist = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert named_targets(path.read_text(encoding="utf-8")) <= exist


def test_contributing_md_lists_every_make_target() -> None:
    exist = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert named_targets((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")) == exist


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("path", documents(), ids=named)
def test_documents_name_only_existing_tests(path: Path) -> None:
    for file, test in _TEST.findall(path.read_text(encoding="utf-8")):
        assert test in functions_in(ROOT / file), f"{file}::{test} does not exist"


@pytest.mark.parametrize("path", [path for path in documents() if path.parent != ADRS], ids=named)
def test_documents_name_only_existing_classes_and_calls(path: Path) -> None:
    quoted = " ".join(_CODE.findall(prose(path.read_text(encoding="utf-8"))))
    assert set(_CAPITALIZED.findall(quoted)) <= words_of_the_code()


@cache
def words_of_the_code() -> set[str]:
    """Returns all words in the contract and in the Python code."""
    folders = ("protos", "server", "client", "examples", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    texts = (path.read_text("utf-8") for path in files if path.suffix in {".py", ".proto"})
    return {word for text in texts for word in re.findall(r"\w+", text)}


def test_every_promise_names_a_test() -> None:
    promises = dict(_PROMISE.findall(PROMISES.read_text(encoding="utf-8")))
    assert list(promises) == [f"P{number}" for number in range(1, 17)]
    for promise, section in promises.items():
        assert _TEST.findall(section), f"{promise} names no test"


async def _nobody(*_arguments: object) -> Principal:
    raise NotImplementedError


async def _nowhere(*_arguments: object) -> Caller:
    raise NotImplementedError


def test_the_interceptors_are_listed_in_their_order() -> None:
    chain = build_chain(
        gate=DrainGate(),
        admission=Admission(AdmissionLimits()),
        rate_limiter=RateLimiter(0.0, 1),
        authenticate=_nobody,
        authorize=_nowhere,
        now=lambda: datetime.now(UTC),
        statistics=Statistics(),
        default_timeout_seconds=1.0,
        tracer_provider=TracerProvider(),
    )
    text = ARCHITECTURE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d+ \| (.+?) \|", text, re.MULTILINE)
    own = [type(interceptor).__name__ for interceptor in chain.interceptors]
    assert [name.strip("`").partition("`")[0] for name in listed] == own


def test_exactly_the_tables_are_listed() -> None:
    section = ARCHITECTURE.read_text(encoding="utf-8").partition("\n## Storage\n")[2]
    cells = re.findall(r"^\| (`.+?`) \|", section.partition("\n#")[0], re.MULTILINE)
    statements = (ROOT / "server" / "storage" / "postgres").rglob("*.sql")
    exist = {table for file in statements for table in _STORED.findall(file.read_text("utf-8"))}
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(exist)


def test_exactly_the_log_events_are_documented() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py"))
    section = (
        OPERATIONS.read_text(encoding="utf-8").partition("\n## Logs\n")[2].partition("\n## ")[0]
    )
    cells = re.findall(r"^\| (`.+?`) \| (?:info|warning|error)", section, re.MULTILINE)
    debug = re.findall(r"^At debug also (.+)\.$", section, re.MULTILINE)
    listed = {event for cell in [*cells, *debug] for event in re.findall(r"`([^`]+)`", cell)}
    patterns = (_EVENT, _OUTAGE_EVENT, _FREQUENT_EVENT)
    assert listed == {event for pattern in patterns for event in pattern.findall(code)}


def test_exactly_the_metrics_are_documented() -> None:
    section = OPERATIONS.read_text(encoding="utf-8").partition("\n## Statistics and metrics\n")[2]
    listed = set(re.findall(r"`((?:rpc|gen_ai|memoir)_[a-z_]+)`", section.partition("\n## ")[0]))
    exist = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in REGISTRY.collect()
    }
    assert listed == {name for name in exist if name.startswith(("rpc_", "gen_ai_", "memoir_"))}
