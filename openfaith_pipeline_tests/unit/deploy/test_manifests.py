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


# https://kubernetes.io/docs/concepts/security/pod-security-standards/
SOUND_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def not_restricted(pod: dict[str, Any]) -> list[str]:
    """The rules of the "restricted" standard that a pod, with the names of Kubernetes' API, does not keep."""
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    found += [f"volume {each['name']}" for each in pod.get("volumes", ()) if not set(each) - {"name"} <= SOUND_VOLUMES]
    whole = pod.get("securityContext", {})
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        own = {**whole, **container.get("securityContext", {})}
        rules = {
            "runAsNonRoot": own.get("runAsNonRoot") is True and own.get("runAsUser") != 0,
            "seccompProfile": own.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "privileged": not own.get("privileged") and "procMount" not in own,
            "hostPort": not any("hostPort" in port for port in container.get("ports", ())),
        }
        found += [rule for rule, is_kept in rules.items() if not is_kept]
    return found


def writable(pod: dict[str, Any]) -> set[str]:
    """Where its one container can write: its root is read-only."""
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    empty = {each["name"] for each in pod["volumes"] if "emptyDir" in each}
    return {each["mountPath"] for each in container["volumeMounts"] if each["name"] in empty}


def run_pod() -> dict[str, Any]:
    """A run's pod, as the launcher is configured to make it, with the names of Kubernetes' API."""
    config = instance(KUBERNETES / "dagster.yaml")["run_launcher"]["config"]["run_k8s_config"]
    pod: dict[str, Any] = in_camel_case({**config["pod_spec_config"], "containers": [config["container_config"]]})
    return pod


def in_camel_case(value: Any) -> Any:
    if isinstance(value, list):
        return [in_camel_case(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {re.sub(r"_(\w)", lambda found: found[1].upper(), name): in_camel_case(each) for name, each in value.items()}


@pytest.mark.parametrize(("name", "pod"), [*pods(), ("run", run_pod())])
def test_pods_keep_to_the_restricted_standard(name: str, pod: dict[str, Any]) -> None:
    assert not_restricted(pod) == []
    assert writable(pod) == {"/var/lib/openfaith", "/tmp"}  # noqa: S108 - a container's own
    [container] = pod["containers"]
    assert {"requests", "limits"} <= container["resources"].keys()
    if name not in {"upgrade", "run"}:
        assert {"livenessProbe", "startupProbe"} <= container.keys()


def test_pods_of_the_chart_keep_to_the_restricted_standard() -> None:
    values = instance(KUBERNETES / "values.yaml")
    deployed = values["dagster-user-deployments"]["deployments"]
    launched = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["containerConfig"]
    for container in (values["dagsterWebserver"], values["dagsterDaemon"], *deployed, launched):
        assert not_restricted({"containers": [{"securityContext": container["securityContext"]}]}) == []


def test_the_namespace_enforces_the_restricted_standard() -> None:
    [namespace] = [each for each in documents() if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_ingress_leads_to_the_service_alone_over_tls() -> None:
    """Dagster's UI has no login."""
    ingress = instance(KUBERNETES / "ingress.example.yaml")
    [rule] = ingress["spec"]["rules"]
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    services = {each["metadata"]["name"]: each["spec"] for each in documents() if each["kind"] == "Service"}
    for path in rule["http"]["paths"]:
        backend = path["backend"]["service"]
        assert backend["name"] == "service"
        [port] = [each for each in services["service"]["ports"] if each["name"] == backend["port"]["name"]]
        [container] = next(pod for name, pod in pods() if name == "service")["containers"]
        assert [each["containerPort"] for each in container["ports"]] == [port["targetPort"]]
    assert ingress["metadata"]["namespace"] == KUSTOMIZATION["namespace"]


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
    # Kubernetes' client takes a second to import, in each pytest process.
    from openfaith_pipeline.defs.kubernetes_launcher import PodRunLauncher  # noqa: PLC0415

    monkeypatch.setenv("POD_NAMESPACE", "openfaith")
    config = instance(KUBERNETES / "dagster.yaml")["run_launcher"]["config"]
    checked = process_config(resolve_to_config_type(PodRunLauncher.config_type()), config)
    assert checked.success, checked.errors


def test_run_pods_may_do_nothing_in_the_cluster() -> None:
    assert run_pod()["automountServiceAccountToken"] is False


def test_the_files_that_kustomize_reads_are_there() -> None:
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
