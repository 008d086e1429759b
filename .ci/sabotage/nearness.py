"""Which test files are near a module: they import it, name what it defines, or lie in the folder of its package.

Running them with the changed modules traced takes part of a minute; running all tests takes minutes.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path, PurePosixPath

FAR = 4


def imported_names(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere, with and without the last part of `from a import b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def dotted(path: PurePosixPath) -> str:
    """Return the name by which a module is imported."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def names_in(path: Path) -> set[str]:
    """Return every name that a file reads, as a variable, an attribute or an import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
    return found


def public_names(path: Path) -> set[str]:
    """Return the functions and classes that a module defines for others."""
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    }


class Nearness:
    """How near each test file is to each module of the product."""

    def __init__(self, root: Path, folders: tuple[str, ...], package: str) -> None:
        """Read the tests of some folders, and what the modules of the package import."""
        self._root = root
        tests = [file for folder in folders for file in sorted(_files(root / folder, "test_*.py"))]
        self._imports = {PurePosixPath(file.relative_to(root)): imported_names(file) for file in tests}
        self._names = {PurePosixPath(file.relative_to(root)): names_in(file) for file in tests}
        self._users: dict[str, set[str]] = {}
        for file in _files(root / package, "*.py"):
            for name in imported_names(file):
                self._users.setdefault(name, set()).add(dotted(PurePosixPath(file.relative_to(root))))

    @cache  # noqa: B019 - one object a run
    def distance(self, test: PurePosixPath, module: PurePosixPath) -> int:
        """Return 0 for tests of the module, more for those further away, FAR for the rest."""
        imports, folders = self._imports[test], module.parts[1:-1]
        if dotted(module) in imports or test.stem.removeprefix("test_").startswith(module.stem.strip("_")):
            return 0
        has_names = bool(public_names(self._root / module) & self._names[test])
        if "integration" in test.parts:
            return 2 if has_names or set(folders) & set(test.parts) else FAR
        if has_names:
            return 1
        if set(folders) & set(test.parts):
            return 2
        return 3 if imports & self._users.get(dotted(module), set()) or not folders else FAR

    def near(self, modules: list[PurePosixPath]) -> list[PurePosixPath]:
        """Return the test files near any of the modules: the nearest first, those with processes last."""
        distances = {
            test: min((self.distance(test, module) for module in modules), default=FAR)
            for test in self._imports
        }
        near = [test for test, distance in distances.items() if distance < FAR]
        return sorted(near, key=lambda test: (distances[test], "integration" in test.parts, str(test)))


def _files(place: Path, pattern: str) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob(pattern))
