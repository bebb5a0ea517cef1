"""The floors as rules over source text.

A rule takes the folder that holds `aggregator/` and `connectors/` and yields one line per fault. It only
parses, so it sees imports inside functions and under TYPE_CHECKING too, and rooms may be missing.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Rule = Callable[[Path], Iterator[str]]

FLOORS = {
    "": 0,  # aggregator/__init__.py itself
    "domain": 0,
    "books": 1,
    "config": 1,
    "routing": 2,
    "engine": 3,
    "service": 4,
    "api": 5,
    "client": 5,
    "dashboard": 5,
    "records": 5,
    "assembly": 6,
    "cli": 6,
    "terminal": 6,
    "__main__": 6,
}
TOP = 6  # the one floor whose rooms know one another

OPEN_TO_CONNECTORS = {"domain", "books", "config"}
OPEN_TO_THE_CLIENT = {"domain", "client"}
SHARED_BY_VENUES = {"simulation", "certification"}  # the folders of connectors/ that are not a venue

PURE_ROOMS = {"domain", "books", "routing", "engine"}
CARRIERS = {"connector", "link", "requests"}  # the files of connectors/ that do I/O, besides those of the simulation
IMPURE_MODULES = {
    *("time", "sched"),
    *("asyncio", "threading", "concurrent", "multiprocessing", "subprocess", "importlib"),
    *("socket", "ssl", "select", "selectors", "http.client", "urllib.request", "aiohttp", "websockets"),
    *("os", "pathlib", "shutil", "tempfile", "sqlite3"),
    *("random", "secrets", "uuid"),
}
CLOCKS = {"now", "utcnow", "today"}
NOT_MONEY = re.compile(r"#\s*not money:\s*\S")

HEAVY = {"ccxt", "pandas"}
MAY_LOAD_HEAVY = ("connectors.ccxt_bridge", "aggregator.records", "aggregator.service.parquet")


@dataclass(frozen=True)
class Import:
    line: int
    target: str  # dotted; `from a import b` counts as a.b, which may be a module or a name in one


@dataclass(frozen=True)
class Module:
    name: str
    file: Path
    is_package: bool
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, str(self.file))

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    @property
    def room(self) -> str:
        return room_of(self.name)

    @property
    def is_pure(self) -> bool:
        if self.top == "aggregator":
            return self.room in PURE_ROOMS
        parts = self.name.split(".")
        return not any(part in CARRIERS | SHARED_BY_VENUES or part.startswith("simulator") for part in parts)

    def imports(self, root: ast.AST | None = None) -> Iterator[Import]:
        for node in ast.walk(root or self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(node.lineno, alias.name)
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node)
                for alias in node.names:
                    yield Import(node.lineno, f"{source}.{alias.name}")

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*base, node.module] if node.module else base)

    def fault(self, line: int, text: str) -> str:
        return f"{self.file}:{line}: {self.name} {text}"


def room_of(name: str) -> str:
    """`aggregator.books.ladder` is in the room `books`; a name of the package itself is in the room ``."""
    room = f"{name}.".split(".")[1]
    return room if room in FLOORS else ""


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@lru_cache(maxsize=4)
def modules(root: Path) -> tuple[Module, ...]:
    found = []
    for top in ("aggregator", "connectors"):
        for file in sorted((root / top).rglob("*.py")):
            path = file.relative_to(root)
            is_package = path.name == "__init__.py"
            parts = path.parent.parts if is_package else path.with_suffix("").parts
            found.append(Module(".".join(parts), path, is_package, file.read_text(encoding="utf-8")))
    return tuple(found)


def in_aggregator(root: Path) -> Iterator[Module]:
    return (module for module in modules(root) if module.top == "aggregator")


def in_connectors(root: Path) -> Iterator[Module]:
    return (module for module in modules(root) if module.top == "connectors")


def every_room_has_a_floor(root: Path) -> Iterator[str]:
    for module in in_aggregator(root):
        if module.name != "aggregator" and not module.room:
            yield module.fault(1, "is in a room that stands on no floor: " + ", ".join(filter(None, FLOORS)))


def no_import_upward(root: Path) -> Iterator[str]:
    for module in in_aggregator(root):
        for found in module.imports():
            if is_within(found.target, "aggregator") and FLOORS[room_of(found.target)] > FLOORS[module.room]:
                yield module.fault(found.line, f"imports {found.target} from a floor above its own")


def no_import_across_rooms_of_a_floor(root: Path) -> Iterator[str]:
    for module in in_aggregator(root):
        for found in module.imports():
            room = room_of(found.target)
            same_floor = is_within(found.target, "aggregator") and FLOORS[room] == FLOORS[module.room] != TOP
            if same_floor and room != module.room:
                yield module.fault(found.line, f"imports {found.target} from another room of its floor")


def no_cycle(root: Path) -> Iterator[str]:
    names = {module.name for module in modules(root)}

    def module_named(target: str) -> str | None:
        while target and target not in names:
            target = target.rpartition(".")[0]
        return target or None

    graph = {
        module.name: {
            known for found in module.imports() if (known := module_named(found.target)) and known != module.name
        }
        for module in modules(root)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "import cycle: " + " -> ".join(reversed(error.args[1]))


def aggregator_names_no_connector(root: Path) -> Iterator[str]:
    """Only assembly loads connectors, by the names that the venue files give."""
    for module in in_aggregator(root):
        for found in module.imports():
            if is_within(found.target, "connectors"):
                yield module.fault(found.line, f"imports {found.target}: a venue file names its connector")
        if module.room == "assembly":
            continue
        for node in ast.walk(module.tree):
            if called(node).rpartition(".")[2] in {"import_module", "__import__"}:
                yield module.fault(line_of(node), "imports by name, which only assembly does")


def connectors_stand_on_floors_0_and_1(root: Path) -> Iterator[str]:
    for module in in_connectors(root):
        for found in module.imports():
            if is_within(found.target, "aggregator") and room_of(found.target) not in OPEN_TO_CONNECTORS:
                yield module.fault(found.line, f"imports {found.target}: only floors 0 and 1 are open to it")


def the_client_stands_on_the_domain_only(root: Path) -> Iterator[str]:
    """Whoever uses the API from outside takes nothing else of the house along."""
    for module in in_aggregator(root):
        if module.room != "client":
            continue
        for found in module.imports():
            if is_within(found.target, "aggregator") and room_of(found.target) not in OPEN_TO_THE_CLIENT:
                yield module.fault(found.line, f"imports {found.target}: only the domain is open to it")


def venues_are_independent(root: Path) -> Iterator[str]:
    """What two venues share stands beside their folders, and names neither."""
    folder = root / "connectors"
    venues = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
    venues -= SHARED_BY_VENUES
    for module in in_connectors(root):
        own = f"{module.name}.".split(".")[1]
        for found in module.imports():
            top, _, rest = found.target.partition(".")
            other = rest.partition(".")[0]
            if top == "connectors" and other in venues and other != own:
                yield module.fault(found.line, f"imports {found.target} from the folder of a venue not its own")


def domain_needs_only_the_standard_library(root: Path) -> Iterator[str]:
    for module in in_aggregator(root):
        if module.room != "domain":
            continue
        for found in module.imports():
            top = found.target.partition(".")[0]
            if top not in sys.stdlib_module_names and not is_within(found.target, "aggregator.domain"):
                yield module.fault(found.line, f"imports {found.target}, outside the standard library")


def pure_floors_touch_nothing_outside(root: Path) -> Iterator[str]:
    """No clock, waiting, socket, file or randomness: what is needed comes in as an argument or an event."""
    for module in filter(lambda module: module.is_pure, modules(root)):
        for found in module.imports():
            if any(is_within(found.target, impure) for impure in IMPURE_MODULES):
                yield module.fault(found.line, f"imports {found.target} on a pure floor")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
                yield module.fault(node.lineno, "waits on a pure floor")
            elif isinstance(node, ast.comprehension) and node.is_async:
                yield module.fault(node.target.lineno, "waits on a pure floor")
            elif isinstance(node, ast.Attribute) and node.attr in CLOCKS:
                yield module.fault(node.lineno, f"reads a clock on a pure floor: .{node.attr}")
            elif called(node) in {"open", "io.open"}:
                yield module.fault(line_of(node), "opens a file on a pure floor")


def no_binary_float_near_money(root: Path) -> Iterator[str]:
    """Neither a float literal nor the word `float`, save on a line marked `# not money: the reason`."""
    for module in in_aggregator(root):
        if module.room not in PURE_ROOMS:
            continue
        lines = module.source.splitlines()
        for node in ast.walk(module.tree):
            is_float = (isinstance(node, ast.Constant) and isinstance(node.value, float | complex)) or (
                isinstance(node, ast.Name) and node.id == "float"
            )
            if is_float and not NOT_MONEY.search(lines[line_of(node) - 1]):
                yield module.fault(line_of(node), f"uses a binary float: {ast.unparse(node)}")


def heavy_modules_load_late(root: Path) -> Iterator[str]:
    """ccxt costs half a second and 110 MB, and patches aiohttp process-wide: nobody pays without using it."""
    for module in modules(root):
        if any(is_within(module.name, package) for package in MAY_LOAD_HEAVY):
            continue
        for statement in run_on_import(module.tree):
            for found in module.imports(statement):
                if found.target.partition(".")[0] in HEAVY:
                    yield module.fault(found.line, f"imports {found.target} at module level")


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The imports that run when the module is loaded: not those in functions or for the type checker."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        children = []
    elif isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        children = list(node.orelse)
    for child in children:
        yield from run_on_import(child)


def called(node: ast.AST) -> str:
    """What a call calls, as it is written; nothing for any other node."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def line_of(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


RULES: tuple[Rule, ...] = (
    every_room_has_a_floor,
    no_import_upward,
    no_import_across_rooms_of_a_floor,
    no_cycle,
    aggregator_names_no_connector,
    connectors_stand_on_floors_0_and_1,
    the_client_stands_on_the_domain_only,
    venues_are_independent,
    domain_needs_only_the_standard_library,
    pure_floors_touch_nothing_outside,
    no_binary_float_near_money,
    heavy_modules_load_late,
)
