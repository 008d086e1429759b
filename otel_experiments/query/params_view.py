"""The parameters of a run as the nested mapping they were given as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_experiments._short_repr import mapping_repr, short
from otel_experiments.errors import ParamNotFoundError
from otel_experiments.model.run import ParamValue
from otel_experiments.query.closest import closest

if TYPE_CHECKING:
    from otel_experiments.model.batch import ParamSet
    from otel_experiments.model.run import Run
    from otel_experiments.store import Store


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


class ParamChange(NamedTuple):
    """A value of a param, and since when.

    Attributes:
        time: since when, in UTC to the microsecond.
        value: what it was from then on.
    """

    time: datetime
    value: ParamValue

    def __repr__(self) -> str:
        return f"ParamChange({self.time:%Y-%m-%d %H:%M:%S}, {short(self.value)})"


_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def _as_time(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def dated(store: Store, run: Run) -> list[ParamSet]:
    """Return all values of a run's params, those without a time of their own with that at which the run was made."""
    sets = store.param_sets(run.run_id)
    return [one if one.time_ns >= 0 else replace(one, time_ns=run.created_ns) for one in sets]


class ParamsView(Mapping[str, ParamValue]):
    """The parameters of a run: nested by the dots of their keys, each also to be had by its dotted key.

    `run.params["optim"]["lr"]`, `run.params["optim.lr"]` and `run.params.flat["optim.lr"]` are the same value.

    Attributes:
        flat: the params by their dotted keys.
    """

    def __init__(
        self,
        flat: Mapping[str, ParamValue],
        read_sets: Callable[[], Sequence[ParamSet]] = tuple,
        run_label: str = "",
    ) -> None:
        self._run_label = run_label
        self.flat: dict[str, ParamValue] = dict(flat)
        self._nested = nest(self.flat)
        self._read_sets = read_sets
        self._histories: dict[str, list[ParamChange]] | None = None

    def history(self, key: str) -> list[ParamChange]:
        """Return the values that a param had, the first one first, each with the time from which it had it.

        Raises:
            ParamNotFoundError: the run has no param of this dotted key.
        """
        if key not in self.flat:
            raise self._not_found(key)
        return list(self._changes.get(key, ()))

    @property
    def changed(self) -> dict[str, int]:
        """How often params took another value after their first, by dotted key; those that never did are left out."""
        return {key: len(held) - 1 for key, held in self._changes.items() if len(held) > 1}

    @property
    def _changes(self) -> dict[str, list[ParamChange]]:
        if self._histories is None:
            self._histories = {}
            for one in self._read_sets():
                held = self._histories.setdefault(one.key, [])
                # `True` and `1` are equal, and another value all the same.
                if not held or (type(held[-1].value), held[-1].value) != (type(one.value), one.value):
                    held.append(ParamChange(_as_time(one.time_ns), one.value))
        return self._histories

    def __getitem__(self, key: str) -> ParamValue:
        if key in self.flat:
            return self.flat[key]
        if key in self._nested:
            return self._nested[key]
        raise self._not_found(key)

    def __contains__(self, key: object) -> bool:
        return key in self.flat or key in self._nested

    def _not_found(self, key: str) -> ParamNotFoundError:
        known = list(self.flat)
        return ParamNotFoundError(
            run=self._run_label, key=key, known=known, suggestion=closest(key, known) if known else None
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._nested)

    def __len__(self) -> int:
        return len(self._nested)

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.html import params_html  # noqa: PLC0415 - only notebooks ask

        return params_html(self.flat)

    def __repr__(self) -> str:
        return mapping_repr("ParamsView", self._nested)


def params_of(flat: Mapping[str, ParamValue], store: Store, run: Run) -> ParamsView:
    """Return the params of a stored run, whose histories are read when they are asked for."""
    return ParamsView(flat, lambda: dated(store, run), run.run_id[:8])
