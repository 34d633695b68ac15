"""Which rules hold for the package's source, as functions from source text to a list of violations. Pure; no I/O.

A rule takes modules (or texts) and returns one sentence for each violation, so that it can be tried on planted ones.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

PACKAGE = "hf_h5"
MAX_LINES = 400

FRONT_DOORS = frozenset(
    {
        "__init__",
        "cli",
        "collate",
        "distributed",
        "hf_h5",
        "loader",
        "loading",
        "mapped",
        "modes",
        "opening",
        "recipes",
        "tools",
        "view",
    }
)
"""Rooms that may import every other; no other room may import them."""

MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "whole_file": frozenset(),
    "cache_home": frozenset(),
    "version": frozenset(),
    "sampling": frozenset({"errors"}),
    "sharding": frozenset(),
    "splitting": frozenset({"errors"}),
    "registry": frozenset({"errors"}),
    "cache_key": frozenset({"describe", "errors", "read", "registry"}),
    "remote": frozenset({"errors", "cache_home"}),
    "describe": frozenset({"errors", "remote"}),
    "read": frozenset({"errors", "describe", "remote", "cache_home", "whole_file"}),
    "cuts": frozenset({"errors", "describe", "read"}),
    "conventions": frozenset({"errors", "describe"}),
    "resolve": frozenset({"errors", "describe", "conventions", "cache_home", "whole_file"}),
    "isolate": frozenset({"errors", "describe", "remote", "resolve", "read"}),
    "assemble": frozenset({"errors", "describe", "registry"}),
    "arrow_rows": frozenset({"errors", "describe", "read"}),
    "hub": frozenset(
        {"errors", "describe", "registry", "remote", "resolve", "read", "assemble", "version", "whole_file"}
    ),
    "batching": frozenset({"errors", "describe", "read", "assemble", "isolate", "sharding"}),
}
"""Per room, the rooms it may import besides itself. A new room needs a line here."""

DOORS: dict[str, tuple[str, ...]] = {
    "h5py": (
        "describe/*",
        "conventions/*",
        "resolve/*",
        "isolate/choose.py",
        "hub/sidecar.py",
        "mapped/opening.py",
        "modes/load.py",
        "read/index.py",
        "read/stored_types.py",
        "read/reader.py",
        "read/h5py_route.py",
        "read/never_written.py",
        "read/waiting.py",
        "opening.py",
        "tools/*",
    ),
    "datasets": (
        "hf_h5.py",
        "loading.py",
        "registry.py",
        "arrow_rows/opening.py",
        "assemble/arrow*.py",
        "distributed/*",
        "hub/*",
        "tools/console.py",
        "tools/demo.py",
        "tools/bench/*",
        "tools/doctor/*",
        "tools/features_file.py",
        "tools/verify/*",
        "view/exports.py",
        "mapped/*",
        "modes/measure.py",
    ),
    "torch": ("view*", "loader*", "collate.py", "assemble/torch.py", "tools/*"),
}
"""Per library, the only modules that may import it."""

MUST_BE_PURE = frozenset({"sampling.py", "describe/schema.py", "describe/layout.py", "read/plan.py"})
IMPURE = frozenset({"h5py", "io", "os", "shutil", "socket", "subprocess", "tempfile", "fsspec", "datasets", "torch"})
HARMLESS = frozenset({"os.PathLike", "os.fspath"})
VAGUE_NAMES = frozenset({"util", "utils", "common", "helper", "helpers", "base", "manager", "misc"})

# A folder that only one machine has; an HDF5 path (`x.h5::/home/x`) and the path of a URL are not.
MACHINE_PATH = re.compile(r"(?<![\w.:-])/(?:home|Users|root|work|tmp|opt|mnt)/\w+")


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: its path below the package (``read/index.py``) and its text."""

    path: str
    source: str

    @property
    def dotted(self) -> str:
        """Its name for an import, ``hf_h5.read.index``; a room's ``__init__`` is the room."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts)))

    @property
    def room(self) -> str:
        """The folder or file directly below the package that it belongs to."""
        return PurePosixPath(self.path).parts[0].removesuffix(".py")

    @property
    def docstring(self) -> str:
        return ast.get_docstring(ast.parse(self.source)) or ""

    def imports(self) -> Iterator[tuple[str, int]]:
        """Yield the dotted name and line of each import at run time, also inside functions and by name."""
        parent = self.dotted if self.path.endswith("__init__.py") else self.dotted.rpartition(".")[0]
        for node in _run_time_nodes(ast.parse(self.source)):
            for name in _imported_names(node, parent):
                yield name, node.lineno


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    """Walk the tree but for what only a type checker sees."""
    children: Iterable[ast.AST] = ast.iter_child_nodes(tree)
    if isinstance(tree, ast.If) and ast.unparse(tree.test).endswith("TYPE_CHECKING"):
        children = tree.orelse
    for child in children:
        if isinstance(child, ast.stmt | ast.expr):
            yield child
        yield from _run_time_nodes(child)


def _imported_names(node: ast.stmt | ast.expr, parent: str) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            start = ".".join(parent.split(".")[: len(parent.split(".")) - level + 1]) if level else ""
            origin = ".".join(filter(None, (start, module)))
            return [f"{origin}.{alias.name}" for alias in names]
        case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            return [name for name in names[:1] if isinstance(name, str)]
    return []


def _room_of(name: str) -> str:
    """Return the room that a dotted name of the package belongs to; a public name belongs to ``__init__``."""
    below = name.split(".")[1:2]
    known = FRONT_DOORS | MAY_IMPORT.keys()
    return below[0] if below and below[0] in known else "__init__"


def wrong_directions(modules: Iterable[Module]) -> list[str]:
    """Find imports against the flow front doors -> assemble, read, ... -> describe -> errors."""
    found = []
    for module in modules:
        if module.room not in FRONT_DOORS | MAY_IMPORT.keys():
            found.append(f"{module.path}: no rule for the room {module.room!r}; add one to MAY_IMPORT")
        elif module.room not in FRONT_DOORS:
            allowed = MAY_IMPORT[module.room] | {module.room}
            for name, line in module.imports():
                if name.split(".")[0] == PACKAGE and _room_of(name) not in allowed:
                    found.append(f"{module.path}:{line}: {module.room} must not import {name}")
    return found


def wrong_doors(modules: Iterable[Module]) -> list[str]:
    """Find h5py, datasets and torch imported elsewhere than at their doors."""
    found = []
    for module in modules:
        for name, line in module.imports():
            library = name.split(".")[0]
            if library in DOORS and not any(fnmatch(module.path, pattern) for pattern in DOORS[library]):
                found.append(f"{module.path}:{line}: {library} enters only by {', '.join(DOORS[library])}")
    return found


def impure(modules: Iterable[Module]) -> list[str]:
    """Find I/O in modules whose docstring says "Pure", and modules that must say so and do not."""
    found = []
    for module in modules:
        if not re.search(r"\bPure\b", module.docstring):
            if module.path in MUST_BE_PURE:
                found.append(f"{module.path}: must be pure and say 'Pure; no I/O.' in its docstring")
            continue
        for name, line in module.imports():
            if name.split(".")[0] in IMPURE and name not in HARMLESS:
                found.append(f"{module.path}:{line}: calls itself pure and imports {name}")
        for node in ast.walk(ast.parse(module.source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                found.append(f"{module.path}:{node.lineno}: calls itself pure and opens a file")
    return found


def oversized(modules: Iterable[Module]) -> list[str]:
    """Find modules that are longer than one can keep in mind."""
    counts = {module.path: len(module.source.splitlines()) for module in modules}
    return [f"{path}: {count} lines, at most {MAX_LINES}" for path, count in counts.items() if count > MAX_LINES]


def vague_names(modules: Iterable[Module]) -> list[str]:
    """Find modules and folders whose name does not say what is in them."""
    found = []
    for module in modules:
        words = set(re.split(r"[/_.]", module.path))
        found += [f"{module.path}: {word!r} says nothing" for word in sorted(words & VAGUE_NAMES)]
    return found


def unsorted_all(modules: Iterable[Module]) -> list[str]:
    """Find public names of the package that are not a sorted literal; ruff sees to the other modules."""
    found = []
    for module in modules:
        if module.path != "__init__.py":
            continue
        for node in ast.parse(module.source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                names = ast.literal_eval(node.value)  # type: ignore[attr-defined]
                if list(names) != sorted(names):
                    found.append(f"{module.path}:{node.lineno}: __all__ is not sorted")
    return found


def machine_paths(texts: Mapping[str, str]) -> list[str]:
    """Find paths that exist on one machine only."""
    return [
        f"{path}:{number}: mentions {match.group()}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        for match in MACHINE_PATH.finditer(line)
    ]
