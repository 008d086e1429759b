"""Names that a package offers and imports on first use, so that importing one of them costs no other.

One may be a function and stand for an object as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
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


class StandIn:
    """A function that stands for an object as well: its attributes are those of the object, its truth is whether there is one.

    Args:
        function: what is called.
        find: returns the object for an attribute that is read, written or called; it raises where there is none.
        is_there: whether there is an object.
    """

    def __init__(
        self, function: Callable[..., Any], find: Callable[[str], object], is_there: Callable[[], bool]
    ) -> None:
        self._function, self._find, self._is_there = function, find, is_there
        update_wrapper(self, function)

    def __call__(self, *args: Any, **options: Any) -> Any:  # what the function takes
        return self._function(*args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._find(name), name)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._find(name), name, value)

    def __repr__(self) -> str:
        now = f" for {self._find('')!r}" if self else ""
        return f"<function {self._function.__name__}{now}>"

    def __bool__(self) -> bool:
        return self._is_there()
