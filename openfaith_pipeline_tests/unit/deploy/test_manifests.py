"""compose.yaml and the manifests for Kubernetes use only commands of the image and known settings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from typer.testing import CliRunner

from openfaith_pipeline.cli.app import app
from openfaith_pipeline.defs.kubernetes_launcher import PodRunLauncher
from openfaith_pipeline.settings import Settings

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
VARIABLES = {str(field.validation_alias) for field in Settings.model_fields.values()}


def documents() -> list[dict[str, Any]]:
    found = [yaml.safe_load_all((KUBERNETES / name).read_text()) for name in KUSTOMIZATION["resources"]]
    return [document for each in found for document in each]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every workload, its pod."""
    for document in documents():
        if document["kind"] in {"Deployment", "Job"}:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def instance(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def commands() -> list[Any]:
    ours = [service for service in compose()["services"].values() if "build" in service]
    return [
        *(pytest.param(args["containers"][0]["args"], id=f"kubernetes {name}") for name, args in pods()),
        *(pytest.param(service["command"], id=f"compose {service['command'][0]}") for service in ours),
    ]


@pytest.mark.parametrize("arguments", commands())
def test_arguments_of_containers_are_verbs_and_options_that_exist(arguments: list[str]) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    verb = words[:2] if words[0] == "db" else words[:1]
    told = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert told.exit_code == 0, told.output
    for option in (word for word in arguments if word.startswith("--")):
        assert option in told.output


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_pods_keep_to_the_restricted_standard(name: str, pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= container["resources"].keys()
    if name != "upgrade":
        assert {"livenessProbe", "startupProbe"} <= container.keys()


def test_every_pod_has_the_settings_and_secrets_of_the_one_place() -> None:
    run_pods = instance(KUBERNETES / "dagster.yaml")["run_launcher"]["config"]
    assert (run_pods["env_config_maps"], run_pods["env_secrets"]) == (["openfaith"], ["openfaith"])
    for _, pod in pods():
        assert pod["containers"][0]["envFrom"] == [
            {"configMapRef": {"name": "openfaith"}},
            {"secretRef": {"name": "openfaith"}},
        ]


def test_settings_and_secrets_are_known_variables() -> None:
    settings = re.findall(r"^([A-Z_]+)=", (KUBERNETES / "settings.env").read_text(), re.MULTILINE)
    secrets = yaml.safe_load((KUBERNETES / "secret.example.yaml").read_text())["stringData"]
    assert settings
    assert {*settings, *secrets} <= VARIABLES
    assert {"OPENFAITH_ENCRYPTION_KEYS", "DB_PASSWORD"} <= set(secrets)


def test_the_instance_in_kubernetes_is_the_shipped_one_but_for_its_launcher() -> None:
    ours = instance(KUBERNETES / "dagster.yaml")
    shipped = instance(ROOT / "openfaith_pipeline" / "defs" / "dagster.yaml")
    launcher = ours.pop("run_launcher")
    shipped.pop("run_launcher")
    assert ours == shipped
    assert launcher["config"]["instance_config_map"] in {made["name"] for made in KUSTOMIZATION["configMapGenerator"]}


def test_the_launcher_takes_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "openfaith")
    config = instance(KUBERNETES / "dagster.yaml")["run_launcher"]["config"]
    checked = process_config(resolve_to_config_type(PodRunLauncher.config_type()), config)
    assert checked.success, checked.errors


def test_run_pods_keep_to_the_restricted_standard_and_may_do_nothing_in_the_cluster() -> None:
    config = instance(KUBERNETES / "dagster.yaml")["run_launcher"]["config"]["run_k8s_config"]
    pod, container = config["pod_spec_config"], config["container_config"]
    assert pod["automount_service_account_token"] is False
    assert pod["security_context"]["run_as_non_root"] is True
    assert pod["security_context"]["seccomp_profile"] == {"type": "RuntimeDefault"}
    assert container["security_context"]["capabilities"] == {"drop": ["ALL"]}
    assert container["security_context"]["read_only_root_filesystem"] is True
    assert container["resources"]["limits"]


def test_what_kustomize_reads_is_there() -> None:
    files = [
        name for made in KUSTOMIZATION["configMapGenerator"] for name in (*made.get("envs", ()), *made.get("files", ()))
    ]
    assert all((KUBERNETES / name).is_file() for name in (*KUSTOMIZATION["resources"], *files))


def test_compose_publishes_on_this_machine_only_and_passes_every_setting() -> None:
    services = compose()["services"]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for service in services.values():
        if "build" in service:
            assert service["env_file"] == ".env"
            assert service["environment"]["DB_USERNAME"] == "openfaith"
    assert "POSTGRES_USER" not in services["postgres"]["environment"], "its superuser is not the user of syncs"
