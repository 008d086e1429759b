"""Decorators: thin over the scopes of a run. The decorated function keeps its name, signature and exceptions.

Outside of a run `stage`, `step` and `trace` only call the function. Plain functions, methods and coroutine
functions are decorated; a generator function, asynchronous or not, gets a span that is current while it runs, not
while it waits.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, cast, overload

from opentelemetry import context as context_api

from otel_experiments.codec.text import shown
from otel_experiments.errors import ConfigurationError
from otel_experiments.record.base.current import active_runs, ended_inside, find_run, refuse_span, restore
from otel_experiments.record.run.parts import RunParts, parts_of
from otel_experiments.record.run.run import Run
from otel_experiments.record.spans.scopes import Scope, context_inside
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values

P = ParamSpec("P")
R = TypeVar("R")
Open = Callable[[RunParts], Scope]


def wrap(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Any:  # the same type as `function`
    """Return the function inside the wrapper, with its own name, signature and binding.

    A function becomes a function: a call costs 0.1 us more, and methods bind as they always do. Whatever else
    can be called (a classmethod, a staticmethod, a builtin, an object) goes into wrapt's proxy, which stays
    what it wraps.
    """
    if inspect.isfunction(function):

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return wrapper(function, None, args, kwargs)

        return call
    import wrapt  # noqa: PLC0415 - 25 ms, with asyncio, that few need

    return wrapt.FunctionWrapper(function, wrapper)


def _scoped_function(function: Callable[P, R], open_scope: Open) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not active_runs and not ended_inside:
            return function(*args, **kwargs)
        run = find_run()
        if run is None:
            refuse_span()
            return function(*args, **kwargs)
        with open_scope(parts_of(run)):
            return function(*args, **kwargs)

    return call


def _scoped(function: Callable[P, R], open_scope: Open) -> Callable[P, R]:
    if inspect.isgeneratorfunction(function):
        return cast("Callable[P, R]", wrap(function, functools.partial(_call_generator, open_scope, _drive)))
    if inspect.isasyncgenfunction(function):
        return cast(
            "Callable[P, R]", wrap(function, functools.partial(_call_generator, open_scope, _drive_async))
        )
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", wrap(function, functools.partial(_call_async, open_scope)))

    if inspect.isfunction(function):
        return _scoped_function(function, open_scope)

    def call(wrapped: Callable[..., R], _: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> R:
        run = find_run()
        if run is None:
            refuse_span()
            return wrapped(*args, **kwargs)
        with open_scope(parts_of(run)):
            return wrapped(*args, **kwargs)

    return cast("Callable[P, R]", wrap(function, call))


async def _call_async(
    open_scope: Open, wrapped: Callable[..., Any], _: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    run = find_run()
    if run is None:
        refuse_span()
        return await wrapped(*args, **kwargs)
    with open_scope(parts_of(run)):
        return await wrapped(*args, **kwargs)


def _call_generator(
    open_scope: Open,
    drive: Callable[[Scope, Any], Any],
    wrapped: Callable[..., Any],
    _: object,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    run = find_run()
    made = wrapped(*args, **kwargs)
    if run is None:
        refuse_span()
    return made if run is None else drive(open_scope(parts_of(run)), made)


def _drive(scope: Scope, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run the generator with the span current only while it is running."""
    result: Any = None
    scope.__enter__()
    try:
        scope.leave_context()
        context = context_inside(scope)
        resume: Callable[[], Any] = functools.partial(next, inner)
        while True:
            here, token = context_api.get_current(), None
            try:
                token = context_api.attach(context)
                item = resume()
            except StopIteration as stop:
                result = stop.value
                break
            finally:
                restore(token, here)
            try:
                resume = functools.partial(inner.send, (yield item))
            except GeneratorExit:
                inner.close()
                raise
            except BaseException as thrown:  # noqa: BLE001 - handed to the generator
                resume = functools.partial(inner.throw, thrown)
    except BaseException as error:
        scope.__exit__(type(error), error, error.__traceback__)
        raise
    scope.__exit__(None, None, None)
    return result


async def _drive_async(scope: Scope, inner: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """Do what `_drive` does for an asynchronous generator."""
    scope.__enter__()
    try:
        scope.leave_context()
        context = context_inside(scope)
        resume: Callable[[], Awaitable[Any]] = inner.__anext__
        while True:
            here, token = context_api.get_current(), None
            try:
                token = context_api.attach(context)
                item = await resume()
            except StopAsyncIteration:
                break
            finally:
                restore(token, here)
            try:
                resume = functools.partial(inner.asend, (yield item))
            except GeneratorExit:
                await inner.aclose()
                raise
            except BaseException as thrown:  # noqa: BLE001 - handed to the generator
                resume = functools.partial(inner.athrow, thrown)
    except BaseException as error:
        scope.__exit__(type(error), error, error.__traceback__)
        raise
    scope.__exit__(None, None, None)


def _title(decorated: Any, name: str | None, attribute: str = "__qualname__") -> str:
    """Return what the spans of a decorated thing are called.

    Raises:
        ConfigurationError: it cannot be called.
    """
    if not callable(decorated) and not isinstance(decorated, (classmethod, staticmethod)):
        raise ConfigurationError(
            f"{shown(decorated)} cannot be decorated: it is of type {type(decorated).__name__}, not a function.\n"
            '  A name goes by keyword: @trace(name="load"); a property is decorated below @property.'
        )
    if name is not None:
        return name
    found = getattr(decorated, attribute, None) or getattr(getattr(decorated, "func", None), attribute, None)
    return found if isinstance(found, str) else type(decorated).__name__


def _code_attributes(function: Callable[..., Any]) -> dict[str, Any]:
    function = getattr(function, "func", function)  # a partial's function
    module, name = getattr(function, "__module__", None), _title(function, None)
    attributes: dict[str, Any] = {attr.CODE_FUNCTION_NAME: f"{module}.{name}" if module else name}
    code = getattr(function, "__code__", None)
    if code is not None:
        attributes[attr.CODE_FILE_PATH] = code.co_filename
        attributes[attr.CODE_LINE_NUMBER] = code.co_firstlineno
    return attributes


@overload
def trace(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def trace(*, name: str | None = None, **attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def trace(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **attributes: Any
) -> Any:  # overloads above carry the types
    """Give each call of the function a span of the current run: `@ox.trace` or `@ox.trace(name="...")`."""

    def decorate(decorated: Callable[P, R]) -> Callable[P, R]:
        title = _title(decorated, name)
        fixed = {
            attr.ML_OPERATION_NAME: values.MlOperationName.TRACE,
            **_code_attributes(decorated),
            **attributes,
        }
        return _scoped(decorated, lambda parts: Scope(parts.core, title, fixed.copy()))

    return decorate if function is None else decorate(function)


@overload
def stage(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def stage(*, name: str | None = None, **attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def stage(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **attributes: Any
) -> Any:  # overloads above carry the types
    """Make each call of the function a stage of the current run."""

    def decorate(decorated: Callable[P, R]) -> Callable[P, R]:
        title = _title(decorated, name, "__name__")
        code = _code_attributes(decorated)
        return _scoped(decorated, lambda parts: parts.work.stage(title, **code, **attributes))

    return decorate if function is None else decorate(function)


@overload
def step(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def step(**attributes: Any) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def step(
    function: Callable[..., Any] | None = None, /, **attributes: Any
) -> Any:  # overloads carry the types
    """Make each call of the function a step of the current run, numbered from 0 on for each run."""

    def decorate(decorated: Callable[P, R]) -> Callable[P, R]:
        _title(decorated, None)
        code = _code_attributes(decorated)

        def open_step(parts: RunParts) -> Scope:
            return parts.work.step(parts.core.counters.next_step(decorated), **code, **attributes)

        return _scoped(decorated, open_step)

    return decorate if function is None else decorate(function)


def make_run_decorator(start_run: Callable[..., Run]) -> Callable[..., Any]:
    """Return the decorator `run` over the given `start_run`."""

    def run(
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        experiment: str | None = None,
        tags: Mapping[str, object] | Iterable[str] | None = None,
        log_arguments: bool = True,
        **options: Any,
    ) -> Any:
        """Make each call of the function a run: `@ox.run` or `@ox.run(experiment="mnist")`.

        The arguments of the call become params (unless `log_arguments=False`); the experiment is, if not
        given, the function's name.
        """

        def decorate(decorated: Callable[P, R]) -> Callable[P, R]:
            title = _title(decorated, experiment, "__name__")
            if inspect.isgeneratorfunction(decorated) or inspect.isasyncgenfunction(decorated):
                raise ConfigurationError(
                    f"The generator function {title!r} cannot be a run: when it is called, none of it has run.\n"
                    "  Decorate the function that uses it, or start the run inside of it: with start_run(): ..."
                )
            signature = inspect.signature(decorated)

            def begin(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
                config: dict[str, Any] = dict(options.get("config") or {})
                if log_arguments:
                    config = _arguments(signature, args, kwargs) | config
                rest = {key: value for key, value in options.items() if key != "config"}
                return start_run(name, experiment=title, config=config, tags=tags, **rest)

            if inspect.iscoroutinefunction(decorated):

                async def call_async(
                    wrapped: Any, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]
                ) -> Any:
                    with begin(args, kwargs):
                        return await wrapped(*args, **kwargs)

                return cast("Callable[P, R]", wrap(decorated, call_async))

            def call(wrapped: Any, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
                with begin(args, kwargs):
                    return wrapped(*args, **kwargs)

            return cast("Callable[P, R]", wrap(decorated, call))

        return decorate if function is None else decorate(function)

    return run


def _arguments(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}  # the call itself will raise it
    bound.apply_defaults()
    return {
        key: value
        for key, value in bound.arguments.items()
        if isinstance(value, (str, bool, int, float, type(None), Mapping, list, tuple))
        or getattr(value, "shape", None) == ()
    }
