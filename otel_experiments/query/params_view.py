"""The parameters of a run as the nested mapping they were given as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from otel_experiments._short_repr import mapping_repr
from otel_experiments.model.run import ParamValue


def nest(flat: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Return the nested mapping that the dotted keys stand for.

    Where a key is a value and a prefix at once (`a` and `a.b`), the longer one keeps its dots, so that no
    value is hidden; so does a key with an empty part.
    """
    nested: dict[str, ParamValue] = {}
    branches: dict[str, dict[str, ParamValue]] = {"": nested}
    for key in sorted(flat):
        head, _, leaf = key.rpartition(".")
        branch = None if "" in key.split(".") else _branch(branches, head, flat)
        if branch is None:
            nested[key] = flat[key]
        else:
            branch[leaf] = flat[key]
    return nested


def _branch(
    branches: dict[str, dict[str, ParamValue]], path: str, flat: Mapping[str, ParamValue]
) -> dict[str, ParamValue] | None:
    """Return the mapping at a dotted path, made where it is missing; None when a value stands in the way."""
    missing: list[str] = []
    while path not in branches:
        if path in flat:
            return None
        missing.append(path)
        path = path.rpartition(".")[0]
    branch = branches[path]
    for path in reversed(missing):
        inner: dict[str, ParamValue] = {}
        branch[path.rpartition(".")[2]] = inner
        branches[path] = branch = inner
    return branch


class ParamsView(Mapping[str, ParamValue]):
    """The parameters of a run: nested by the dots of their keys, each also to be had by its dotted key.

    `run.params["optim"]["lr"]`, `run.params["optim.lr"]` and `run.params.flat["optim.lr"]` are the same value.

    Attributes:
        flat: the params by their dotted keys.
    """

    def __init__(self, flat: Mapping[str, ParamValue]) -> None:
        self.flat: dict[str, ParamValue] = dict(flat)
        self._nested = nest(self.flat)

    def __getitem__(self, key: str) -> ParamValue:
        return self.flat[key] if key in self.flat else self._nested[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nested)

    def __len__(self) -> int:
        return len(self._nested)

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.html import params_html  # noqa: PLC0415 - only notebooks ask

        return params_html(self.flat)

    def __repr__(self) -> str:
        return mapping_repr("ParamsView", self._nested)
