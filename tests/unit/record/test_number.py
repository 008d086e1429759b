"""Numbers of any library: taken as what they are, without a warning of the library's."""

import decimal
import fractions
import math
import warnings

import numpy as np
import pytest

import otel_experiments as ox
from otel_experiments.codec.number import number_of


class Tensor:
    """A scalar as torch has it: `float()` of one that requires gradients warns, `item()` does not."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def __float__(self):
        warnings.warn("Converting a tensor with requires_grad=True to a scalar", UserWarning, stacklevel=2)
        return self.value

    def item(self):
        """Return the Python number."""
        return self.value


class EagerTensor:
    """A scalar as TensorFlow has it: no `item()`, a `numpy()`."""

    def __init__(self, value):
        self.value = value

    def numpy(self):
        """Return numpy's scalar."""
        return np.float32(self.value)


class DeviceArray:
    """A scalar as JAX has it."""

    shape = ()
    dtype = np.dtype("float32")

    def __init__(self, value):
        self.value = value

    def item(self):
        """Return the Python number."""
        return self.value

    def __float__(self):
        raise AssertionError("item() is asked first")


class Noisy:
    """A number whose conversion warns."""

    def __float__(self):
        warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
        return 1.5


NUMBERS = [
    pytest.param(True, 1.0, id="bool"),
    pytest.param(7, 7.0, id="int"),
    pytest.param(math.inf, math.inf, id="inf"),
    pytest.param(np.float16(0.5), 0.5, id="float16"),
    pytest.param(np.uint8(3), 3.0, id="uint8"),
    pytest.param(np.array(0.25), 0.25, id="0-d array"),
    pytest.param(np.array([[0.25]]), 0.25, id="array of one"),
    pytest.param(np.longdouble(0.5), 0.5, id="longdouble"),
    pytest.param(np.ma.masked_array([0.5], mask=[False]), 0.5, id="unmasked"),
    pytest.param(decimal.Decimal("1.5"), 1.5, id="Decimal"),
    pytest.param(fractions.Fraction(1, 2), 0.5, id="Fraction"),
    pytest.param(Tensor(0.5), 0.5, id="torch"),
    pytest.param(EagerTensor(0.5), 0.5, id="tensorflow"),
    pytest.param(DeviceArray(0.5), 0.5, id="jax"),
]
NONE = [
    pytest.param("0.5", id="text"),
    pytest.param(b"0.5", id="bytes"),
    pytest.param(bytearray(b"1"), id="bytearray"),
    pytest.param(None, id="None"),
    pytest.param(1j, id="complex"),
    pytest.param(np.complex64(1 + 2j), id="complex64"),
    pytest.param(np.complex128(1 + 2j), id="complex128"),
    pytest.param(np.clongdouble(1 + 2j), id="clongdouble"),
    pytest.param(np.array(1j), id="0-d complex"),
    pytest.param(np.timedelta64(5, "ns"), id="length of time"),
    pytest.param(np.datetime64("2026-01-01"), id="date"),
    pytest.param(np.ma.masked, id="masked"),
    pytest.param(np.ma.masked_array([0.5], mask=[True]), id="masked array"),
    pytest.param(np.array("0.5"), id="array of a text"),
    pytest.param(np.array([1.0, 2.0]), id="two numbers"),
    pytest.param([1.0], id="list"),
    pytest.param(10**400, id="beyond floats"),
    pytest.param(Tensor(1j), id="complex tensor"),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("value", "number"), NUMBERS)
def test_a_scalar_of_any_library_is_its_number(value, number):
    """No conversion warns, and none fails where warnings are errors."""
    assert number_of(value) == number


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", NONE)
def test_what_is_no_real_number_is_not_made_one(value):
    """An imaginary part, a mask or a text is not dropped in silence."""
    with pytest.raises((TypeError, ValueError, OverflowError, AttributeError)):
        number_of(value)


@pytest.mark.filterwarnings("error")
def test_a_conversion_that_warns_is_a_number_where_warnings_are_errors():
    """What a library says of its conversion is nothing to lose a value for."""
    assert number_of(Noisy()) == 1.5


@pytest.mark.parametrize("first", [0.5, np.float64(0.5)], ids=["float", "float64"])
def test_a_type_that_changes_between_calls_is_looked_at_anew(forgiving, recwarn, first):
    """Whatever a metric's first values were, a later tensor does not warn and a later complex number is told."""
    with ox.start_run("r") as run:
        for value in (first, first, Tensor(0.25), np.complex128(1 + 2j), first, True):
            run.log({"loss": value, "other": 1.0})

    assert ox.run("r").metrics["loss"].points().values.tolist() == [0.5, 0.5, 0.25, 0.5, 1.0]
    assert len(ox.run("r").metrics["other"].points()) == 6
    assert forgiving.guard.losses == {"metric value": 1}
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("action", ["error", "default"])
def test_a_loss_of_torch_is_logged_as_it_is(recording, read, action):
    """`run.log({"loss": loss})` in a training loop: no warning, no loss of the point."""
    torch = pytest.importorskip("torch")
    weight = torch.ones(3, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught, ox.start_run("r") as run:
        warnings.simplefilter(action)
        run.log({"loss": 1.0})
        run.log({"loss": (weight * 2).sum()}, step=torch.tensor(5))
        run.log({"loss": torch.tensor([3.0], dtype=torch.bfloat16, requires_grad=True)})
        run.log({"loss": torch.tensor(4)})

    assert caught == []
    points = read("r").metrics["loss"].points()
    assert list(zip(points.steps, points.values, strict=True)) == [(0, 1), (5, 6), (6, 3), (7, 4)]
