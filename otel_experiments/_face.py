"""Names that a package offers and imports on first use, so that importing one of them costs no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package whose names are imported on first use.

    Args:
        package: the package's `__name__`.
        modules: by public name, the module that holds it, relative to the package (`clock`) or absolute.
    """

    def find(name: str) -> Any:  # whatever the module holds
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = modules[name]
        path = module if module.startswith("otel_experiments.") else f"{package}.{module}"
        return getattr(import_module(path), name)

    return find, lambda: sorted(modules)
