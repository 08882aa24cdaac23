"""``deploy/compose.yaml``: valid, hardened, pinned, without secrets, and its settings are settings of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.settings import Settings
from tests.support.manifests import DEPLOY, documents, gives_secret_away, is_secret, pinned, settings_of

FILE = DEPLOY / "compose.yaml"
COMPOSE = documents(FILE)[0]
SERVICES: dict[str, Any] = COMPOSE["services"]
OWN_SERVICES = [name for name, service in SERVICES.items() if service["image"].startswith("cpd-bridge:")]


def test_the_file_is_a_compose_file() -> None:
    """It follows the Compose specification's schema, which check-jsonschema carries."""
    checker = Path(sys.executable).with_name("check-jsonschema")
    argv = [checker, "--builtin-schema", "vendor.compose-spec", FILE]
    process = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    """Not root, nothing written outside volumes and /tmp, no capability but the one that hands files over."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert pinned(service["image"]), service["image"]
    if name == "passwords":
        assert (service["cap_add"], service["network_mode"]) == (["CHOWN"], "none")
    else:
        assert not service["user"].startswith("0:")
        assert "cap_add" not in service


@pytest.mark.parametrize("name", OWN_SERVICES)
def test_settings_are_settings_of_the_service(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is known, every value is right, and what is secret comes by a file."""
    env = SERVICES[name].get("environment", {})
    variables = {variable: value for variable, value in env.items() if value is not None}  # None: from the caller
    settings = settings_of(variables, tmp_path, monkeypatch)
    assert not any(is_secret(variable) for variable in variables)
    if name in {"api", "worker"}:
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > settings.shutdown_timeout


def test_no_secret_stands_in_it() -> None:
    """No address with a password, no private key, no variable of a known secret."""
    assert not gives_secret_away(COMPOSE)
    variables = [name for service in SERVICES.values() for name in service.get("environment", {})]
    assert [name for name in variables if "PASSWORD" in name and not name.endswith("_FILE")] == []


def test_only_the_loopback_is_published() -> None:
    """What is not encrypted leaves the host by a proxy alone; the store and Prometheus are not reachable at all."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "rabbitmq", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_every_file_and_volume_is_there() -> None:
    """What is mounted exists beside the file or is a named volume, and every volume is used."""
    mounts = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert [source for source in mounts if source.startswith("./") and not (DEPLOY / source).exists()] == []
    assert {source for source in mounts if not source.startswith("./")} == set(COMPOSE["volumes"])


def test_prometheus_scrapes_the_services_at_their_ports() -> None:
    """Every target is a service of this file that shares a network with Prometheus, at the port it listens on."""
    (config,) = documents(DEPLOY / "monitoring" / "prometheus" / "prometheus.yml")
    targets = {
        name: one["port"]
        for job in config["scrape_configs"]
        for one in job.get("dns_sd_configs", [])
        for name in one["names"]
    }
    metrics = int(SERVICES["worker"]["environment"]["BRIDGE_METRICS_PORT"])
    assert targets == {"api": Settings.model_fields["http_port"].default, "worker": metrics, "rabbitmq": 15692}
    assert all(set(SERVICES["prometheus"]["networks"]) & set(SERVICES[name]["networks"]) for name in targets)
    assert "rabbitmq_prometheus" in (DEPLOY / "rabbitmq" / "enabled_plugins").read_text()


def test_what_is_waited_for_can_be_waited_for() -> None:
    """A service that others want healthy has a health check; one that is to be completed ends by itself."""
    for service in SERVICES.values():
        for dependency, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "test" in SERVICES[dependency]["healthcheck"]
            else:
                assert SERVICES[dependency]["restart"] == "on-failure:10"
