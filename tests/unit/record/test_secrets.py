"""Secrets that a program passes do not reach its store."""

import logging
import subprocess
import sys

import pytest

import otel_experiments as ox

SECRET = "hunter-two-9Zq8Lm2X"
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


def recorded_bytes(folder):
    """Return everything that recording has written below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("experiments.db*") if path.is_file())


def record_secrets():
    """Record a run with secrets wherever user code can put one; return it."""
    config = {"lr": 0.1, "db": {"user": "ann", "pwd": SECRET}, "max_tokens": 512, "note": f"uses {TOKEN}"}
    with ox.start_run("r", config=config, tags={"api_key": SECRET, "team": "vision"}) as run:
        run.log_params(
            {"openai_api_key": SECRET, "url": f"postgres://ann:{SECRET}@db/x", "argv": ["--token", SECRET]}
        )
        run.set_tag("hf_token", SECRET)
        run.emit(
            "login",
            {"user": "ann", "password": SECRET, "inner": [{"secret": SECRET}]},
            {"auth_token": SECRET},
        )
        run.emit("text", f"password={SECRET}")
    return run


def test_no_secret_reaches_the_store(configure, tmp_path, caplog, monkeypatch):
    """Params, tags, events and the environment's attributes lose their secrets and nothing else; each name is told once."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"deployment.api_key={SECRET},team.name=vision")
    configure()
    kept = record_secrets()
    ox.shutdown()

    assert kept.config["db.pwd"] == SECRET
    assert SECRET.encode() not in recorded_bytes(tmp_path)
    assert TOKEN.encode() not in recorded_bytes(tmp_path)
    run = ox.run("r", store=tmp_path / "experiments.db")
    assert run.params["lr"] == 0.1
    assert run.params["max_tokens"] == 512
    assert run.params["db"]["user"] == "ann"
    assert run.params["db"]["pwd"] == "<redacted>"
    assert run.params["note"] == "uses <redacted>"
    assert run.params["url"] == "postgres://<redacted>@db/x"
    assert run.params["argv"] == ["--token", "<redacted>"]
    assert run.tags == {"api_key": "<redacted>", "team": "vision", "hf_token": "<redacted>"}
    assert (run.resource["deployment.api_key"], run.resource["team.name"]) == ("<redacted>", "vision")
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    told = [line for line in lines if "looks like a secret" in line]
    assert len(told) == len(set(told)) == 12
    assert sum("'db.pwd'" in line for line in told) == 1


def test_exceptions_lose_the_secrets_in_what_they_say(configure, tmp_path, forgiving):
    """A message with a connection's password is recorded without it: event, stack trace, status and the run's reason."""
    with pytest.raises(ConnectionError), ox.start_run("r") as run, run.stage("connect"):
        raise ConnectionError(f"no answer from postgres://ann:{SECRET}@db/x")
    ox.shutdown()

    assert SECRET.encode() not in recorded_bytes(tmp_path)
    found = ox.run("r", store=tmp_path / "experiments.db")
    assert found.reason == "no answer from postgres://<redacted>@db/x"
    (span,) = found.spans.named("stage connect")
    assert span.events[0].attributes["exception.message"] == "no answer from postgres://<redacted>@db/x"
    assert "<redacted>" in span.status_message


def test_secrets_are_kept_where_that_is_wanted(configure, caplog):
    """`redact_secrets=False` records everything as it is, and says nothing."""
    configure(redact_secrets=False)
    record_secrets()

    run = ox.run("r")
    assert run.params["db"]["pwd"] == SECRET
    assert run.tags["api_key"] == SECRET
    assert "looks like a secret" not in caplog.text


@pytest.mark.parametrize(
    "form", ["--api-key {}", "--password={}", "db.password={}", "--header Authorization:Bearer-{}"]
)
def test_the_arguments_of_the_process_hold_no_secrets(form, tmp_path):
    """The command line is on the resource, without the secrets in it."""
    script = tmp_path / "train.py"
    script.write_text(
        "import otel_experiments as ox\nox.configure(system_metrics_s=0.0)\nwith ox.start_run('r'): pass\n"
    )
    arguments = [*form.format(TOKEN).split(), "--lr", "0.1"]

    subprocess.run([sys.executable, script, *arguments], cwd=tmp_path, check=True, timeout=120)

    assert TOKEN.encode() not in recorded_bytes(tmp_path)
    resource = ox.run("r", store=tmp_path / "experiments.db").resource
    assert resource["process.command_args"][0] == str(script)
    assert list(resource["process.command_args"])[-2:] == ["--lr", "0.1"]
    assert "<redacted>" in str(resource["process.command_args"])
