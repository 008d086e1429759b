"""The how-to pages of Jaeger and Prometheus, followed to the letter with the real programs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from real_programs import ROOT, Server, free_port

PAGES = ROOT / "docs/how-to"
COMMANDS = {"jaeger": "jaeger", "otelcol-experiments": "collector", "prometheus": "prometheus"}
"""Programs as pages call them, and as `.ci/backends` does."""
BLOCK = re.compile(
    r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
)
READY = {
    "jaeger": "http://127.0.0.1:16686/api/v3/services",
    "otelcol-experiments": "http://127.0.0.1:13133/",
    "prometheus": "http://127.0.0.1:9090/-/ready",
}
VARIABLES = {
    4317: "COLLECTOR_GRPC_ENDPOINT",
    4318: "COLLECTOR_HTTP_ENDPOINT",
    13133: "COLLECTOR_HEALTH_ENDPOINT",
    14317: "JAEGER_ENDPOINT JAEGER_GRPC_ENDPOINT",
    14318: "JAEGER_HTTP_ENDPOINT",
    16685: "JAEGER_QUERY_ENDPOINT",
    16686: "JAEGER_UI_ENDPOINT",
}
"""The ports that pages name, and the variables by which the files of `collector-config/` take others."""


@pytest.mark.parametrize("page", ["send-to-jaeger.md", "send-to-prometheus.md"])
def test_a_page_is_followed_to_the_letter(page, binary, start, tmp_path, came_back):
    """Each block does what the page says, in an empty folder; only the ports are others, since tests run side by side."""
    text = (PAGES / page).read_text(encoding="utf-8")
    ports = {port: free_port() for port in [*VARIABLES, 8888, 9090]}

    def here(part):
        return re.sub(
            r"(localhost|127\.0\.0\.1):(\d+)", lambda match: f"127.0.0.1:{ports[int(match[2])]}", part
        )

    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environment |= {
        name: f"127.0.0.1:{ports[port]}" for port, names in VARIABLES.items() for name in names.split()
    }
    environment["COLLECTOR_METRICS_PORT"] = str(ports[8888])
    environment["PROMETHEUS_OTLP_ENDPOINT"] = f"http://127.0.0.1:{ports[9090]}/api/v1/otlp"
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    (tmp_path / "collector-config").symlink_to(ROOT / "collector-config")
    followed = 0
    for kind, file, body, printed in BLOCK.findall(text):
        if kind == "python":
            (tmp_path / file).write_text(here(body), encoding="utf-8")
            continue
        assert kind == "bash"
        followed += 1
        program = body.split()[0]
        if program in COMMANDS:
            _, *arguments = shlex.split(here(body))
            server = Server(
                binary(COMMANDS[program]),
                tmp_path,
                arguments,
                environment=environment,
                ready_url=here(READY[program]),
            )
            server.log = tmp_path / f"{program}.txt"
            start(server)
            continue
        changed = tmp_path / "environment"
        done = subprocess.run(
            ["bash", "-euc", f"{here(body)}\nenv -0 >{changed}"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (body, done.stdout, done.stderr)
        environment = dict(
            pair.split("=", 1) for pair in changed.read_text(encoding="utf-8").split("\0") if pair
        )
        if printed:
            assert done.stdout == printed, done.stderr
    assert followed >= 5
