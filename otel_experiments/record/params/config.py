"""The params of a run with attribute access: `run.config.optimizer.lr`, `run.config["optimizer.lr"]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from otel_experiments._short_repr import mapping_repr
from otel_experiments.model.run import ParamValue

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import ParamSink


class Config(Mapping[str, Any]):
    """What steers a run. Setting a key or attribute records it.

    Keys are dotted; a key that is a prefix of others gives the part below it, with attribute access again.
    """

    __slots__ = ("_flat", "_prefix", "_run")

    def __init__(self, run: ParamSink, flat: dict[str, ParamValue], prefix: str = "") -> None:
        object.__setattr__(self, "_run", run)
        object.__setattr__(self, "_flat", flat)
        object.__setattr__(self, "_prefix", prefix)

    def __getitem__(self, key: str) -> Any:
        flat = cast("dict[str, ParamValue]", self._flat)
        full = f"{self._prefix}{key}"
        if full in flat:
            return flat[full]
        if any(known.startswith(f"{full}.") for known in flat):
            return Config(self._run, flat, f"{full}.")
        raise KeyError(full)

    def __iter__(self) -> Iterator[str]:
        seen = dict.fromkeys(
            key.removeprefix(self._prefix).partition(".")[0]
            for key in self._flat
            if key.startswith(self._prefix)
        )
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"The run has no param {self._prefix}{name!r}.\n  It has: {', '.join(self) or 'none'}."
            ) from None

    def __setitem__(self, key: str, value: object) -> None:
        self._run.log_params({f"{self._prefix}{key}": value})

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def update(self, params: object = None, allow_val_change: bool | None = None, **values: object) -> None:  # noqa: ARG002, FBT001 - as in other trackers
        """Record several params, as `Run.log_params` does; a value may always change.

        Args:
            allow_val_change: there for calls written for other trackers; does nothing.
            params: a mapping, Namespace, dataclass or pydantic model.
            **values: further params, by name.
        """
        if params is not None:
            self._run.log_params(params)
        if values:
            self._run.log_params(values)

    def setdefaults(self, params: Mapping[str, object]) -> None:
        """Record those params of a mapping that the run does not have yet.

        Args:
            params: values by name.
        """
        is_mapping = isinstance(params, Mapping)
        self.update(
            {key: value for key, value in params.items() if key not in self} if is_mapping else params
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the params as a dict, with a dict for each part of them."""
        return {key: value.as_dict() if isinstance(value, Config) else value for key, value in self.items()}

    @property
    def flat(self) -> Mapping[str, ParamValue]:
        """The values by dotted key."""
        return cast("Mapping[str, ParamValue]", self._flat)

    def merge(self, flat: Mapping[str, ParamValue]) -> None:
        """Take over values that are recorded already.

        Args:
            flat: values by dotted key.
        """
        self._flat.update(flat)

    def __repr__(self) -> str:
        return mapping_repr("Config", self)
