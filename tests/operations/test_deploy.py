"""The files for operators are correct, and the programs that read them accept them."""

import json
import re
import shutil
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from anonchat import Settings
from deploy.nginx.nodes import write_nodes
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.ports import free_port
from tools.servers.process import ROOT

DEPLOY = ROOT / "deploy"
CLUSTER = ROOT / "compose.cluster.yaml"
SETTINGS = {f"ANONCHAT_{name.upper()}" for name in Settings.model_fields}
UNITS = ("anonchat.service", "anonchat@.service")
_METRIC = re.compile(r"\b(anonchat_[a-z_]+|process_[a-z_]+)\b(?!:)")
_DOCUMENTED = re.compile(r"`(anonchat_[a-z_]+)(?:\{[a-z]+\})?`")


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program that reads one of the files; skip the test if it is not installed."""
    program = shutil.which(str(words[0]), path="/usr/sbin:/usr/local/bin:/usr/bin:/bin")
    if program is None:
        pytest.skip(f"{words[0]} is not installed")
    return subprocess.run(
        [program, *map(str, words[1:])],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def assert_accepted(*words: str | Path) -> None:
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


async def test_metrics_in_queries_exist_and_all_metrics_are_documented(
    tmp_path: Path,
) -> None:
    server_process = ServerProcess(tmp_path, metrics_port=str(free_port()))
    await server_process.start()
    async with httpx.AsyncClient(timeout=DEADLINE) as http:
        response = await http.get(
            f"http://127.0.0.1:{server_process.settings['metrics_port']}/metrics"
        )
    await server_process.stop()
    known = set()
    for family in parse(response.text):
        known |= {
            "counter": {f"{family.name}_total"},
            "histogram": {f"{family.name}{end}" for end in ("", "_bucket", "_count", "_sum")},
        }.get(family.type, {family.name})
    dashboard = json.loads((DEPLOY / "grafana" / "anonchat.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [rule["expr"] for rule in read_rules()]
    queries.append((DEPLOY / "prometheus" / "alerts_test.yml").read_text())
    named = {name for query in queries for name in _METRIC.findall(query)}
    assert len(named) > 15
    assert named <= known
    documented = set(_DOCUMENTED.findall((ROOT / "docs" / "operations.md").read_text()))
    ours = {name for name in known if name.startswith("anonchat_")}
    assert documented == {name for name in ours if not name.endswith(("_bucket", "_count", "_sum"))}


def test_all_alerts_are_tested_and_documented() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]
    (fires,) = tests[1]["promql_expr_test"]
    assert fires["exp_samples"][0]["value"] == len(read_rules())
    documented = (ROOT / "docs" / "operations.md").read_text()
    for rule in read_rules():
        assert f"`{rule['alert']}`" in documented, rule["alert"]


def test_prometheus_rules_are_valid_and_fire_as_expected() -> None:
    assert_accepted("promtool", "check", "rules", DEPLOY / "prometheus" / "alerts.yml")
    assert_accepted("promtool", "test", "rules", DEPLOY / "prometheus" / "alerts_test.yml")
    assert_accepted("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")


@pytest.mark.parametrize("path", sorted(ROOT.glob("compose*.yaml")), ids=lambda path: path.name)
def test_compose_file_uses_known_settings_and_confines_our_services(path: Path) -> None:
    compose = yaml.safe_load(path.read_text())
    ours = [service for service in compose["services"].values() if "build" in service]
    assert ours
    for service in ours:
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"]
        assert service["ulimits"]["core"] == 0
        names = {name for name in service.get("environment", {}) if name.startswith("ANONCHAT_")}
        names |= {name.upper() for name in service.get("secrets", ())}
        assert names <= SETTINGS
    published = [port for each in compose["services"].values() for port in each.get("ports", ())]
    assert published
    for port in published:
        assert port.startswith("${ANONCHAT_HOST:-127.0.0.1}:${ANONCHAT_PORT:-8080}:")


@pytest.mark.parametrize("path", sorted(ROOT.glob("compose*.yaml")), ids=lambda path: path.name)
def test_compose_file_passes_on_every_setting(path: Path) -> None:
    compose = yaml.safe_load(path.read_text())
    for service in compose["services"].values():
        if "build" not in service:
            continue
        assert service["env_file"] == [{"path": ".env", "required": False}]
        environment = service["environment"]
        for name in ("HOST", "PORT", "DATA_DIR"):  # those of the published port and the volume
            assert (
                environment.pop(f"ANONCHAT_{name}")
                == {"HOST": "0.0.0.0", "PORT": 8080, "DATA_DIR": "/data"}[name]
            )
        environment.pop("ANONCHAT_NODE_ID", None)
        for name in SETTINGS & environment.keys():  # these take precedence over `.env`
            assert environment[name].startswith(f"${{{name}:-"), f"{name} cannot be given"


def test_nodes_of_the_compose_file_match_the_nginx_configuration() -> None:
    services = yaml.safe_load(CLUSTER.read_text())["services"]
    nodes = {name: service for name, service in services.items() if "build" in service}
    written = (DEPLOY / "nginx" / "nodes.compose.conf").read_text()
    addresses = {
        name: ip_address(service["networks"]["inside"]["ipv4_address"])
        for name, service in services.items()
        if isinstance(service["networks"], dict)
    }
    assert written == write_nodes({name: f"{addresses[name]}:8080" for name in nodes})
    (pool,) = yaml.safe_load(CLUSTER.read_text())["networks"]["inside"]["ipam"]["config"]
    for address in addresses.values():
        assert address in ip_network(pool["subnet"])
        assert address not in ip_network(pool["ip_range"]), (
            "the address may be assigned to another container"
        )
    for name, node in nodes.items():
        assert node["environment"]["ANONCHAT_NODE_ID"] == name
        assert node["volumes"] == [f"{name}:/data"], "nodes share a volume"
    front = services["nginx"]["networks"]["inside"]["ipv4_address"]
    trusted = nodes["n1"]["environment"]["ANONCHAT_TRUSTED_PROXIES"]
    assert trusted == f"${{ANONCHAT_TRUSTED_PROXIES:-{front}}}"


def test_valkey_of_the_compose_file_writes_nothing_to_disk() -> None:
    valkey = yaml.safe_load(CLUSTER.read_text())["services"]["valkey"]
    assert valkey["command"] == ["valkey-server", "--save", "", "--appendonly", "no"]
    assert valkey["read_only"]
    assert "volumes" not in valkey


@pytest.mark.parametrize("name", UNITS)
def test_systemd_unit_is_valid(tmp_path: Path, name: str) -> None:
    unit = (DEPLOY / "systemd" / name).read_text()
    program = "ExecStart=/opt/anonchat/.venv/bin/python /opt/anonchat/main.py"
    assert program in unit
    path = tmp_path / name
    path.write_text(unit.replace(program, f"ExecStart={sys.executable} {ROOT / 'main.py'}"))
    done = run("systemd-analyze", "verify", "--man=no", path)
    complaints = [line for line in done.stderr.splitlines() if name.partition(".")[0] in line]
    assert (done.returncode, complaints) == (0, []), done.stderr
    for setting in re.findall(r"ANONCHAT_\w+", unit):
        assert setting in SETTINGS


def test_systemd_units_are_equally_confined() -> None:
    texts = [(DEPLOY / "systemd" / name).read_text() for name in UNITS]
    one, many = (text.partition("# Keeps memory off the disk.")[2] for text in texts)
    assert one == many != ""


def test_haproxy_and_caddy_configurations_are_valid() -> None:
    assert_accepted("haproxy", "-c", "-f", DEPLOY / "haproxy.cfg")
    assert_accepted("caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile")


def test_traefik_routes_use_exactly_the_defined_services_and_limits() -> None:
    http = yaml.safe_load((DEPLOY / "traefik.yaml").read_text())["http"]
    targets = [router["service"] for router in http["routers"].values()]
    for service in http["services"].values():
        if failover := service.get("failover"):
            targets += [failover["service"], failover["fallback"]]
    assert set(targets) == set(http["services"])
    for router in http["routers"].values():
        assert router["middlewares"] == list(http["middlewares"])
