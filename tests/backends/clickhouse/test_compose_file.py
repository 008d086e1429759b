"""The compose file: one that compose reads, and that names what the Collector files, Grafana and the tables have."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

CONFIGS = Path(__file__).parents[3] / "collector-config"
COMPOSE = yaml.safe_load((CONFIGS / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
PROVISIONING = CONFIGS / "grafana" / "provisioning"
PORTS = {
    "jaeger": {4317, 4318, 16686},
    "tempo": {4317, 3200},
    "victoriametrics": {8428},
    "clickhouse": {8123, 9000},
    "grafana": {3000},
    "collector": {4317, 4318},
}
"""Ports at which the images listen, with the files and variables that they are given."""


def environment(name):
    """Return a service's variables."""
    return {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}


def test_compose_reads_the_file(binary, tmp_path):
    """The loader that `docker compose` is made of accepts the file: its keys, their types, its references."""
    compose = binary("compose")
    answer = subprocess.run([compose, CONFIGS / "compose.yaml"], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert set(yaml.safe_load(answer.stdout)["services"]) == set(PORTS)

    misspelt = tmp_path / "compose.yaml"
    misspelt.write_text((CONFIGS / "compose.yaml").read_text().replace("depends_on", "depend_on"))
    assert subprocess.run([compose, misspelt], capture_output=True, check=False).returncode != 0


def test_clickhouse_is_healthy_with_all_of_its_tables():
    """The Collector waits until the last file of the schema was applied, since it looks at the tables once."""
    newest = max(path.name for path in (CONFIGS / "clickhouse").glob("*.sql"))
    [wanted] = re.findall(r"Version\)%3C(\d+)", " ".join(SERVICES["clickhouse"]["healthcheck"]["test"]))
    assert int(wanted) == int(newest[:4])
    assert SERVICES["collector"]["depends_on"]["clickhouse"] == {"condition": "service_healthy"}


def test_images_are_pinned():
    """Each image has a version, so that tomorrow's is no surprise; the Collector's is that of its manifest."""
    versions = {name: one["image"].rpartition(":")[2] for name, one in SERVICES.items()}
    assert all(re.fullmatch(r"v?\d+\.\d+(\.\d+)?", version) for version in versions.values()), versions
    manifest = (CONFIGS / "builder.yaml").read_text()
    assert f"v{versions['collector']}" in manifest


def test_every_file_that_is_mounted_is_there():
    """What a service mounts from this folder exists, read-only; every volume is declared."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, _, *mode = volume.split(":")
            if source.startswith("."):
                assert (CONFIGS / source).exists(), source
                assert mode == ["ro"], source
            else:
                assert source in COMPOSE["volumes"], source


def test_the_collector_is_started_with_files_and_variables_that_it_has():
    """Each `--config` is a mounted file, and each variable is one that these files read."""
    collector = SERVICES["collector"]
    named = {argument.partition("=")[2] for argument in collector["command"]}
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in collector["volumes"]}
    text = "".join((CONFIGS / mounted[file]).read_text() for file in named)
    read = set(re.findall(r"\$\{env:(\w+)", text))
    assert set(environment("collector")) <= read
    jaeger = set(re.findall(r"\$\{env:(\w+)", (CONFIGS / "servers" / "jaeger.yaml").read_text()))
    assert set(environment("jaeger")) <= jaeger


def test_every_host_and_port_that_is_named_is_one_of_the_file():
    """Endpoints of the Collector and of Grafana's data sources are services, at ports that they listen at."""
    texts = [*environment("collector").values(), *SERVICES["clickhouse"]["healthcheck"]["test"]]
    sources = yaml.safe_load((PROVISIONING / "datasources" / "otel-experiments.yaml").read_text())[
        "datasources"
    ]
    texts += [source["url"] for source in sources if "url" in source]
    texts += [
        f"{one['jsonData']['host']}:{one['jsonData']['port']}"
        for one in sources
        if "host" in one.get("jsonData", {})
    ]
    named = {
        (host, int(port)) for text in texts for host, port in re.findall(r"\b([a-z]+):(\d{4,5})\b", text)
    }
    assert {host for host, _ in named} == {"jaeger", "tempo", "victoriametrics", "clickhouse"}
    assert [(host, port) for host, port in sorted(named) if port not in PORTS[host]] == []


def test_ports_are_open_to_this_machine_only():
    """Nothing is published to other machines: Grafana and VictoriaMetrics let everyone in."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    for name, service in SERVICES.items():
        assert {int(port.rpartition(":")[2]) for port in service.get("ports", [])} <= PORTS[name]


def test_grafana_finds_a_data_source_of_each_kind_and_both_dashboards():
    """Every type of data source that a dashboard chooses from is provisioned; the folder is the one that is mounted."""
    sources = yaml.safe_load((PROVISIONING / "datasources" / "otel-experiments.yaml").read_text())[
        "datasources"
    ]
    kinds = {source["type"] for source in sources}
    boards = "".join(path.read_text() for path in (CONFIGS / "grafana" / "dashboards").glob("*.json"))
    assert set(re.findall(r'"type": "datasource"', boards))
    assert {"grafana-clickhouse-datasource", "prometheus", "tempo"} <= kinds
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "otel-experiments.yaml").read_text())[
        "providers"
    ]
    mounts = dict(
        volume.split(":")[1::-1] for volume in SERVICES["grafana"]["volumes"] if volume.startswith("./")
    )
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    home = environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (CONFIGS / "grafana" / "dashboards" / Path(home).name).is_file()


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.y*ml")), ids=lambda path: path.name)
def test_yaml_is_well_formed(path):
    """Every YAML file of the folder can be read, and has no key twice."""
    yaml.load(path.read_text(), Loader=OneKeyOnce)


class OneKeyOnce(yaml.SafeLoader):
    """Refuses a mapping with a key twice."""

    def construct_mapping(self, node, deep=False):
        """Return a mapping whose keys differ."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(set(keys)) == len(keys), keys
        return super().construct_mapping(node, deep)
