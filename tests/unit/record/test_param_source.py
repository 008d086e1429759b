"""Configs of any kind start a run; what of them cannot be read is left out and told."""

import dataclasses
from argparse import Namespace
from collections.abc import Mapping

import attrs
import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError


class Raises:
    """A descriptor whose value cannot be read."""

    def __init__(self, error):
        self.error = error

    def __get__(self, instance, owner):
        if instance is None:
            return self
        raise self.error


@dataclasses.dataclass
class Unset:
    lr: float = 0.1
    steps: int = dataclasses.field(init=False)


@dataclasses.dataclass(slots=True)
class UnsetSlots:
    lr: float = 0.1
    steps: int = dataclasses.field(init=False)


@dataclasses.dataclass
class Computed:
    lr: float = 0.1
    steps: int = dataclasses.field(default=0, init=False)


Computed.steps = Raises(RuntimeError("not before fit()"))


@attrs.define
class UnsetAttrs:
    lr: float = 0.1
    steps: int = attrs.field(init=False)


class HalfMapping(Mapping):
    """As OmegaConf's are: a key may be there, and its value be missing."""

    def __iter__(self):
        return iter(["lr", "steps"])

    def __len__(self):
        return 2

    def __getitem__(self, key):
        if key == "lr":
            return 0.1
        raise ValueError(f"{key} is missing")


class Model:
    """As pydantic's are."""

    model_fields = ("lr", "steps")
    steps = Raises(AttributeError("steps"))

    def __init__(self):
        self.lr = 0.1

    def model_dump(self):
        """Raise."""
        raise ValueError("a serializer of the user's")


class DumpsNothing(Model):
    def model_dump(self):
        """Return no mapping."""


def omegaconf():
    """Return a real DictConfig with a value that is missing."""
    return pytest.importorskip("omegaconf").OmegaConf.create({"lr": 0.1, "steps": "???"})


def pydantic_model():
    """Return a real model whose serializer raises."""
    pydantic = pytest.importorskip("pydantic")

    class Settings(pydantic.BaseModel):
        lr: float = 0.1

        @pydantic.field_serializer("lr")
        def shown(self, value):
            raise RuntimeError("no")

    return Settings()


PARTLY = {
    "dataclass": Unset,
    "dataclass with slots": UnsetSlots,
    "dataclass with a property": Computed,
    "attrs": UnsetAttrs,
    "mapping": HalfMapping,
    "model": Model,
    "model that dumps nothing": DumpsNothing,
    "OmegaConf": omegaconf,
}


@pytest.mark.parametrize("is_nested", [False, True], ids=["whole", "nested"])
@pytest.mark.parametrize("kind", PARTLY)
def test_a_field_that_cannot_be_read_is_left_out_and_told(kind, is_nested, forgiving, caplog):
    """The run starts with all the others, and one line names the field."""
    config = PARTLY[kind]()
    prefix = "model." if is_nested else ""
    with ox.start_run("r", config={"model": config, "seed": 1} if is_nested else config) as run:
        pass

    assert run.config[f"{prefix}lr"] == 0.1
    assert f"{prefix}steps" not in dict(ox.run("r").params.flat)
    assert ox.run("r").params.flat[f"{prefix}lr"] == 0.1
    told = [line for line in caplog.messages if "has no value that can be read" in line]
    assert len(told) == 1
    assert "'steps'" in told[0]
    assert forgiving.guard.losses == {"param left out": 1}


def test_a_model_whose_serializer_raises_is_read_field_by_field(forgiving):
    """A pydantic model that cannot dump itself still has fields."""
    with ox.start_run("r", config=pydantic_model()):
        pass

    assert ox.run("r").params["lr"] == 0.1


class NoKeys(HalfMapping):
    def __iter__(self):
        raise RuntimeError("keys")


class NoVars:
    __dict__ = Raises(RuntimeError("vars"))


class NoAttributes:
    def __getattribute__(self, name):
        raise RuntimeError(name)


class NoText:
    def __repr__(self):
        raise RuntimeError("text")


class OddClass:
    __class__ = Raises(RuntimeError("class"))


class Slots:
    __slots__ = ("lr",)


class RaisingTags(HalfMapping):
    def items(self):
        """Raise."""
        raise RuntimeError("items")


def raising():
    """Yield one tag and raise."""
    yield "one"
    raise RuntimeError("two")


HOPELESS = {
    "integer": lambda: 3,
    "float": lambda: 0.5,
    "text": lambda: "text",
    "list": lambda: [1],
    "object": object,
    "no keys": NoKeys,
    "no vars": NoVars,
    "no attributes": NoAttributes,
    "odd class": OddClass,
    "slots": Slots,
    "function": lambda: len,
    "generator": raising,
}


@pytest.mark.parametrize("kind", HOPELESS)
def test_a_config_that_cannot_be_read_at_all_is_an_error_of_ours(kind, forgiving):
    """What `start_run` raises says what the config is and what to pass; `log_params` goes on without it."""
    config = HOPELESS[kind]()
    try:
        with ox.start_run("r", config=config):
            pass
    except ConfigurationError as error:
        assert "Pass a dict" in str(error)  # noqa: PT017 - an object whose attributes are read has no error
    with ox.start_run("other") as run:
        run.log_params(config)
        run.log({"loss": 1.0})
    assert ox.run("other").metrics["loss"].count == 1


@pytest.mark.parametrize("make", [RaisingTags, raising, lambda: 3, object])
def test_tags_that_cannot_be_read_are_an_error_of_ours(make, forgiving):
    """The same for tags."""
    with pytest.raises(ConfigurationError, match="team"):
        ox.start_run("r", tags=make())


@pytest.mark.parametrize(
    "argument", ["group", "hypothesis", "condition", "description", "parent", "name", "experiment"]
)
@pytest.mark.parametrize("make", [lambda: 3, lambda: b"x", object, NoText])
def test_arguments_of_another_type_are_an_error_of_ours(argument, make, forgiving):
    """A wrong type is said before training starts."""
    with pytest.raises(ConfigurationError):
        ox.start_run(**{"name": "r", argument: make()})


@pytest.mark.parametrize("config", [{}, Namespace(), Namespace(a=1)])
def test_plain_configs_are_told_nothing_of(config, forgiving, caplog):
    """No line in the log for what is whole."""
    with ox.start_run("r", config=config):
        pass

    assert forgiving.guard.losses == {}
    assert caplog.messages == []
