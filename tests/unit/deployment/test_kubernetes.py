"""``deploy/kubernetes``: every manifest fits its schema, every pod is hardened, and names mean what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs] - it has none
import orjson
import pytest
import yaml

from bridge.settings import Settings
from consumers.health import health
from tests.support.manifests import DEPLOY, Manifest, documents, gives_secret_away, is_secret, pinned, settings_of

BASE = DEPLOY / "kubernetes" / "base"
OVERLAYS = sorted((DEPLOY / "kubernetes" / "overlays").iterdir())
VERSION = "1.34"
KEDA = json.loads(Path(__file__).with_name("keda.schema.json").read_bytes())


def built(directory: Path) -> list[Manifest]:
    """What kustomize makes of a directory."""
    argv = ["kubectl", "kustomize", directory]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return list(yaml.safe_load_all(output))


def plain(directory: Path) -> list[Manifest]:
    """The manifests that a kustomization names, as they lie there."""
    file_names = documents(directory / "kustomization.yaml")[0]["resources"]
    return [document for name in file_names if (directory / name).is_file() for document in documents(directory / name)]


MANIFESTS = [(where.name, manifest) for where in (BASE, *OVERLAYS) for manifest in plain(where)]
"""Directory → manifest, before kustomize."""


def pods(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    """Name → pod specification, of whatever makes pods."""
    manifests_by_name: dict[str, dict[str, Any]] = {}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            manifests_by_name[manifest["metadata"]["name"]] = spec["template"]["spec"]
    return manifests_by_name


PODS = pods([manifest for _, manifest in MANIFESTS])


def check(manifest: Manifest) -> None:
    """Raise when a manifest does not fit the schema of its kind, unknown fields included."""
    if manifest["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(manifest, KEDA)
    else:
        kubernetes_validate.validate(manifest, VERSION, strict=True)


@pytest.mark.parametrize(
    ("where", "manifest"), MANIFESTS, ids=lambda manifest: manifest if isinstance(manifest, str) else manifest["kind"]
)
def test_each_manifest_fits_its_schema(where: str, manifest: Manifest) -> None:
    """Kubernetes's own schemas, strictly; KEDA's by one of ours."""
    check(manifest)


def test_schemas_notice_a_misspelt_field() -> None:
    """The check can fail, for Kubernetes's kinds and for KEDA's."""
    for kind, change in (("Deployment", {"replica": 1}), ("ScaledObject", {"minReplicas": 1})):
        manifest = next(manifest for _, manifest in MANIFESTS if manifest["kind"] == kind)
        with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
            check({**manifest, "spec": {**manifest["spec"], **change}})


@pytest.mark.parametrize("directory", [BASE, *OVERLAYS], ids=lambda path: path.name)
def test_kustomizations_name_what_is_there(directory: Path) -> None:
    """Every resource exists, and every manifest beside it is named."""
    file_names = documents(directory / "kustomization.yaml")[0]["resources"]
    assert all((directory / name).exists() for name in file_names)
    beside = {path.name for path in directory.glob("*.yaml")} - {"kustomization.yaml"}
    assert beside == {name for name in file_names if name.endswith(".yaml")}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl has kustomize in it")
@pytest.mark.parametrize("directory", OVERLAYS, ids=lambda path: path.name)
def test_overlays_build_and_fit(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kustomize applies every patch, the result fits the schemas, and its settings are right."""
    manifests = built(directory)
    for manifest in manifests:
        check(manifest)
    for name, spec in pods(manifests).items():
        assert all(pinned(container["image"]) for container in spec["containers"]), name
        assert _settings(name, spec, manifests, tmp_path, monkeypatch).auth_issuer == "https://id.example.org"


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_hardened(name: str) -> None:
    """The restricted Pod Security Standard, a read-only root file system, no service account token, bounded memory."""
    spec = PODS[name]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


def _settings(
    name: str, spec: dict[str, Any], manifests: list[Manifest], files: Path, patch: pytest.MonkeyPatch
) -> Settings:
    (container,) = spec["containers"]
    maps = {manifest["metadata"]["name"]: manifest["data"] for manifest in manifests if manifest["kind"] == "ConfigMap"}
    common = maps[container["envFrom"][0]["configMapRef"]["name"]] if maps else _literals()
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert not any(is_secret(variable) for variable in {**common, **variables}), name
    return settings_of({**common, **variables}, files, patch)


def _literals() -> dict[str, str]:
    literals = documents(BASE / "kustomization.yaml")[0]["configMapGenerator"][0]["literals"]
    return dict(literal.split("=", 1) for literal in literals)


@pytest.mark.parametrize("name", PODS)
def test_settings_ports_and_files_fit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is a setting, ports are those it listens on, and files are read where the secret is mounted."""
    spec = PODS[name]
    settings = _settings(name, spec, [], tmp_path, monkeypatch)
    (container,) = spec["containers"]
    listens = {"cpd-api": settings.http_port, "cpd-worker": settings.metrics_port}.get(name)
    assert [port["containerPort"] for port in container.get("ports", [])] == ([listens] if listens else [])
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    files = [variable["value"] for variable in container["env"] if variable["name"].endswith("_FILE")]
    assert all(str(Path(file).parent) in mounts for file in files)
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("name", ["cpd-api", "cpd-worker"])
def test_there_is_time_to_settle(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod is killed only after the pause before SIGTERM and the time that the process itself takes."""
    spec = PODS[name]
    pause = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    settings = _settings(name, spec, [], tmp_path, monkeypatch)
    assert spec["terminationGracePeriodSeconds"] >= pause + settings.shutdown_timeout + 10


async def test_probes_ask_paths_that_answer() -> None:
    """Liveness and readiness exist where they are asked for, in the API and in the worker."""
    spec_paths = orjson.loads((DEPLOY.parent / "docs" / "openapi.json").read_bytes())["paths"]
    paths = {"/health/live", "/health/ready", "/metrics"}
    assert paths <= set(spec_paths)
    async with health("127.0.0.1", 0, {}) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        assert {(await client.get(path)).status for path in paths} == {200}
    for name in ("cpd-api", "cpd-worker"):
        (container,) = PODS[name]["containers"]
        probed_paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert probed_paths == {"/health/live", "/health/ready"}
        ports = {container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")}
        assert ports == {container["ports"][0]["name"]}


def test_selectors_find_the_pods() -> None:
    """Services, budgets, policies, spreads and scalers all mean workloads that exist."""
    labels = {"cpd-api", "cpd-worker", "cpd-job"}
    for _, manifest in MANIFESTS:
        for text in json.dumps(manifest).split('"app.kubernetes.io/name": "')[1:]:
            assert text.split('"')[0] in labels
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        (scaler,) = [manifest for _, manifest in MANIFESTS if manifest["kind"] == kind]
        assert scaler["spec"]["scaleTargetRef"]["name"] in PODS
    for name in ("cpd-api", "cpd-worker"):
        (deployment,) = [
            manifest
            for _, manifest in MANIFESTS
            if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == name
        ]
        assert "replicas" not in deployment["spec"], "the scaler says how many; a number here would undo it"


def test_nothing_is_let_in_or_out_that_is_not_named() -> None:
    """There is a policy for every pod that denies both ways."""
    (denial,) = [manifest for _, manifest in MANIFESTS if manifest["metadata"]["name"] == "default-deny"]
    assert denial["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_no_secret_stands_in_them() -> None:
    """No Secret is written down, and no address holds a password."""
    assert not any(manifest["kind"] == "Secret" or gives_secret_away(manifest) for _, manifest in MANIFESTS)
