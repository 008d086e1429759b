"""Every file of collector-config/ is one that the Collector takes, starts with, and does not warn about."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

CONFIGS = Path(__file__).resolve().parents[2] / "collector-config"
DOCUMENTS = {
    file: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(CONFIGS.glob("*.yaml"))
}
FILES = [file for file, document in DOCUMENTS.items() if "service" in document]
ALONE = {"gateway.yaml", "span-metrics.yaml", "tail-sampling.yaml"}
"""Files with pipelines that are whole uses by themselves."""
IN_MEMORY = {"prometheus_remote_write", "prometheus/scrape", "debug", "file", "span_metrics"}
"""Exporters without a queue of the Collector's; the file says so."""

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def test_there_are_files_for_what_the_documentation_names():
    """The folder has a file for each backend and each use that its README names, and no other."""
    named = set(re.findall(r"`([\w-]+\.yaml)`", (CONFIGS / "README.md").read_text(encoding="utf-8")))

    assert {file.name for file in FILES} <= named
    assert len(FILES) >= 11


@each_file
def test_the_collector_finds_no_fault_with_a_file(file, binary, tmp_path):
    """`validate` accepts the file as it is, with no variable set but a token."""
    answer = subprocess.run(
        [binary("collector"), "validate", "--config", file],
        cwd=tmp_path,
        env={"GATEWAY_TOKEN": "a-token"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@each_file
def test_the_collector_starts_with_a_file_and_warns_of_nothing(file, make_collector):
    """A backend that is not there yet keeps the Collector from nothing; no name in the file is an old one."""
    collector = make_collector(file.name, GATEWAY_TOKEN="a-token", PROMETHEUS_SCRAPE_ENDPOINT="127.0.0.1:0")
    collector.stop()

    printed = collector.log.read_text(encoding="utf-8")
    assert "Everything is ready." in printed
    warned = [line for line in printed.splitlines() if re.search(r"\twarn\t|\terror\t|deprecated", line)]
    away = ("clientconn.go", "schema detection failed")  # what gRPC and ClickHouse's exporter say of that
    assert [line for line in warned if not any(words in line for words in away)] == []


@pytest.mark.parametrize("turn", [1, -1], ids=["forwards", "backwards"])
def test_files_that_send_to_backends_can_be_combined(turn, make_collector):
    """Several files are one Collector, in any order: each file's pipelines stay as they are."""
    names = [file.name for file in FILES if file.name not in ALONE][::turn]
    collector = make_collector(*names, PROMETHEUS_SCRAPE_ENDPOINT="127.0.0.1:0")
    collector.stop()

    assert "Everything is ready." in collector.log.read_text(encoding="utf-8")
    assert len(names) >= 8


@each_file
def test_a_file_says_what_it_is_for_and_listens_on_this_machine_only(file):
    """Each file begins with what it is for, and without variables opens no port to other machines."""
    text = file.read_text(encoding="utf-8")
    header = text[: text.index("\n\n")]
    variables = set(re.findall(r"\$\{env:(\w+)", text))
    used_by_all = {name for name in variables if name.startswith("COLLECTOR_")}

    assert header.count("\n") >= 2
    assert all(line.startswith("#") for line in header.splitlines())
    assert [name for name in sorted(variables - used_by_all) if name not in header] == []
    body = "\n".join(line.split(" #")[0] for line in text.splitlines() if not line.startswith("#"))
    assert "0.0.0.0" not in body


@each_file
def test_a_file_keeps_to_what_loses_nothing(file):
    """Memory is bounded first, no batch processor acknowledges early, queues are on disk and never given up."""
    document = DOCUMENTS[file]
    for pipeline in document["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"
    assert not any(name.split("/")[0] == "batch" for name in document["processors"])
    for name, exporter in document["exporters"].items():
        if name in IN_MEMORY:
            continue
        assert exporter["sending_queue"]["storage"] == "file_storage", name
        assert "batch" in exporter["sending_queue"], name
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0, name
