"""A real client of the official SDK, over stdio, to the real command."""

import json
import logging
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

import otel_experiments as ox

COMMAND = Path(sys.executable).with_name("otel-experiments")


class Agent:
    """A connected client, called from a test without async."""

    def __init__(self, portal, client):
        self.portal, self.client = portal, client

    def call(self, tool, **arguments):
        """Return what a tool answers, as the protocol has it."""
        return self.portal.call(self.client.call_tool, tool, arguments)

    def data(self, tool, **arguments):
        """Return the structured answer of a tool, which must be no error; its texts must be the same data."""
        found = self.call(tool, **arguments)
        assert not found.is_error, found.content[0].text
        summary, whole = (one.text for one in found.content)
        assert summary == found.structured_content["summary"]
        assert json.loads(whole) == found.structured_content
        return found.structured_content

    def error(self, tool, **arguments):
        """Return the text of the error that a tool answers."""
        found = self.call(tool, **arguments)
        assert found.is_error, found.structured_content
        assert found.structured_content is None
        return found.content[0].text

    def tools(self):
        """Return the tools by name."""
        return {one.name: one for one in self.portal.call(self.client.list_tools).tools}


@contextmanager
def connected(folder, *options, mode="auto", environment=None):
    """Lend a client of `otel-experiments mcp` that works in a folder."""
    parameters = StdioServerParameters(
        command=str(COMMAND), args=["mcp", *options], cwd=str(folder), env=environment or {}
    )
    with start_blocking_portal() as portal:
        client = Client(stdio_client(parameters), mode=mode)
        with portal.wrap_async_context_manager(client):
            yield Agent(portal, client)


def record(store):
    """Record three runs: two that differ in a param and in what came of it, and a failed one."""
    ox.configure(store=store, logging="WARNING")
    for number, rate in enumerate((0.1, 0.3)):
        with ox.start_run(
            f"digits-{number}", experiment="digits", config={"lr": rate}, tags={"team": "vision"}
        ) as run:
            for epoch in range(3):
                with run.epoch(epoch):
                    for step in range(epoch * 100, epoch * 100 + 100):
                        run.log({"loss": rate / (1 + step)}, step=step)
            run.log({"spike": float("nan")}, step=0)
            logging.getLogger("trainer").warning("rate %s is high", rate)
    with pytest.raises(ValueError, match="no data"), ox.start_run("broken", experiment="digits"):
        raise ValueError("no data")
    ox.shutdown()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a store of three runs."""
    folder = tmp_path_factory.mktemp("recorded")
    record(folder / "experiments.db")
    return folder


@pytest.fixture(scope="module")
def agent(recorded):
    """A client of a server that reads those runs."""
    with connected(recorded) as found:
        yield found
