"""conf/kubernetes/: valid by Kubernetes' own schemas, and in keeping with what the server does."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.support import ROOT, need
from thriftserver.admin.metrics import METRICS
from thriftserver.config import OPTIONS
from thriftserver.quantities import duration

BASE = ROOT / "conf" / "kubernetes"
OVERLAY = """
resources: [{base}]
namespace: shop
nameSuffix: -orders
labels:
  - {{pairs: {{app.kubernetes.io/instance: orders}}, includeSelectors: true}}
images:
  - {{name: registry.example.com/orders, newTag: "2"}}
configMapGenerator:
  - {{name: thriftserver, behavior: merge, literals: ["thriftserver.toml=workers = 4"]}}
"""
#: The oldest and the newest minor version that the manifests are held against.
VERSIONS = ["1.30", ".".join(kubernetes_validate.latest_version().split(".")[:2])]


def built(folder: Path) -> dict[str, Any]:
    """What Kubernetes is given, by kind."""
    need(shutil.which("kubectl"), "kubectl 1.27 or newer")
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}


@pytest.fixture(scope="module")
def base() -> dict[str, Any]:
    return built(BASE)


KINDS = {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_base_fits_the_schemas(base: dict[str, Any], version: str) -> None:
    assert base.keys() == KINDS
    for each in base.values():
        kubernetes_validate.validate(each, version, strict=True)
    broken = {**base["Deployment"], "spec": {**base["Deployment"]["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_an_overlay_names_configures_and_releases(tmp_path: Path) -> None:
    (tmp_path / "base").symlink_to(BASE)
    (tmp_path / "kustomization.yaml").write_text(OVERLAY.format(base="base"))
    made = built(tmp_path)
    for each in made.values():
        kubernetes_validate.validate(each, VERSIONS[-1], strict=True)
        assert each["metadata"]["namespace"] == "shop"
        assert "-orders" in each["metadata"]["name"]
    pod = made["Deployment"]["spec"]["template"]
    assert pod["spec"]["containers"][0]["image"] == "registry.example.com/orders:2"
    assert pod["spec"]["volumes"][0]["configMap"]["name"] == made["ConfigMap"]["metadata"]["name"]
    assert made["ConfigMap"]["data"]["thriftserver.toml"] == "workers = 4"
    assert made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == made["Deployment"]["metadata"]["name"]
    for kind in ("Service", "PodDisruptionBudget"):
        selector = made[kind]["spec"]["selector"]
        assert (selector.get("matchLabels") or selector).items() <= pod["metadata"]["labels"].items()


def test_the_manifests_keep_to_the_configuration(base: dict[str, Any]) -> None:
    config = tomllib.loads(base["ConfigMap"]["data"]["thriftserver.toml"])
    assert config.keys() <= {row.name for row in OPTIONS}
    pod = base["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert config["bind"] == [f"0.0.0.0:{ports['thrift']}"]
    assert config["admin"] == f"0.0.0.0:{ports['admin']}"
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert container["args"] == ["--config", f"{mounts['config']}/thriftserver.toml"]
    assert Path(config["control"]).parent == Path(mounts["run"])
    (_, pause) = container["lifecycle"]["preStop"]["exec"]["command"]
    longest = int(pause) + duration(config["graceful_timeout"])
    assert pod["terminationGracePeriodSeconds"] == longest + 10
    served = (ROOT / "docs" / "observability.md").read_text()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert f"| `{container[probe]['httpGet']['path']}` |" in served
    assert str(config["workers"]) == container["resources"]["requests"]["cpu"]


def test_the_autoscaler_goes_by_metrics_that_exist(base: dict[str, Any]) -> None:
    (rule,) = yaml.safe_load((BASE / "prometheus-adapter.yaml").read_text())["rules"]
    (name,) = [each["pods"]["metric"]["name"] for each in base["HorizontalPodAutoscaler"]["spec"]["metrics"][1:]]
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert name in {f"thriftserver_{metric.name.removeprefix('thriftserver_')}" for metric in METRICS}


def test_the_container_is_the_image_that_the_base_expects(base: dict[str, Any]) -> None:
    text = (ROOT / "conf" / "container" / "Dockerfile").read_text()
    pod = base["Deployment"]["spec"]["template"]["spec"]["securityContext"]
    assert f"\nUSER {pod['runAsUser']}:{pod['runAsGroup']}\n" in text
    ports = re.search(r"^EXPOSE (.+)$", text, re.MULTILINE)
    assert ports
    (container,) = base["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert ports[1].split() == [str(each["containerPort"]) for each in container["ports"]]
