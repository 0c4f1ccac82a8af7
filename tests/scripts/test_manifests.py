"""What hosts, registries and clusters read about us is complete, of one version, and holds no secret."""

import json
import re
import struct
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from mistral_mcp import __version__, tools
from mistral_mcp.install import stdio_entry
from mistral_mcp.settings import Settings
from mistral_mcp.skills.recipes import recipes
from scripts import manifests

ROOT = Path(__file__).parents[2]
NAME = "io.github.mistral-mcp/mistral-mcp"
SERVER = json.loads((ROOT / "manifests/server.json").read_text(encoding="utf-8"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def load(name: str) -> Any:
    return json.loads(read(name))


def documents(name: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(read(name)))


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"(?m)^#.*\n", "", read("Dockerfile")).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("name", list(manifests.files()))
def test_each_manifest_is_as_make_manifests_writes_it(name: str):
    assert read(name) == manifests.files()[name]


def test_the_plugin_has_the_skills_that_there_are_and_no_other():
    folder = ROOT / "manifests/claude-plugin/skills"

    assert {file.parent.name for file in folder.glob("*/SKILL.md")} == {recipe.name for recipe in recipes()}
    assert {file.name for file in folder.rglob("*") if file.is_file()} == {"SKILL.md"}


def test_the_plugin_has_the_bundle_s_icon():
    icons = [ROOT / "manifests/mcpb/icon.png", ROOT / "manifests/claude-plugin/.claude-plugin/icon.png"]

    assert icons[0].read_bytes() == icons[1].read_bytes()


def test_the_plugin_s_server_offers_the_tools_that_its_skills_name():
    plugin = load("manifests/claude-plugin/.claude-plugin/plugin.json")
    toolsets = plugin["mcpServers"]["mistral"]["env"]["MISTRAL_MCP_TOOLSETS"].split(",")
    offered = tools.names(tuple(toolsets), read_only=False)

    assert all(recipe.tools <= offered for recipe in recipes())


def test_every_version_is_the_package_s():
    versions = {
        "server": SERVER["version"],
        "pypi": SERVER["packages"][0]["version"],
        "oci": SERVER["packages"][1]["identifier"].rpartition(":")[2],
        "bundle": load("manifests/mcpb/manifest.json")["version"],
        "bundle's server": tomllib.loads(read("manifests/mcpb/pyproject.toml"))["project"]["dependencies"][
            0
        ].partition("==")[2],
        "plugin": load("manifests/claude-plugin/.claude-plugin/plugin.json")["version"],
        "marketplace": load(".claude-plugin/marketplace.json")["plugins"][0]["version"],
        "gemini": load("gemini-extension.json")["version"],
        "cursor": load(".cursor-plugin/plugin.json")["version"],
        "compose": documents("manifests/compose.yaml")[0]["services"]["serve"]["image"].rpartition(":")[2],
        "image": re.search(r'image\.version="(.+?)"', read("Dockerfile"))[1],  # pyright: ignore[reportOptionalSubscript]
    }

    assert set(versions.values()) == {__version__}


def test_no_manifest_holds_anything_like_a_secret():
    for path in [*(ROOT / "manifests").rglob("*"), ROOT / "Dockerfile"]:
        if path.is_file() and path.suffix != ".png":
            text = path.read_text(encoding="utf-8")
            assert not re.search(
                r"mmcp_[A-Za-z0-9]{8}|(?<!sha256:)\b[0-9a-f]{48,}\b|postgresql://[^$…\s']+:[^$\s]+@", text
            ), path


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("manifests/server.json", "server"),
        (".cursor-plugin/plugin.json", "cursor-plugin"),
        ("manifests/docker/server.yaml", "docker-server"),
        ("glama.json", "glama"),
    ],
)
def test_what_has_no_reader_s_program_to_check_it_keeps_its_reader_s_schema(name: str, schema: str):
    [document] = documents(name)
    jsonschema.validate(document, load(f"tests/fixtures/manifests/{schema}.schema.json"))


def test_files_stand_at_the_root_where_their_readers_look_for_them():
    for name in ("gemini-extension.json", "glama.json", ".cursor-plugin/plugin.json", "SECURITY.md", "LICENSE"):
        assert (ROOT / name).is_file()


def test_the_cursor_plugin_names_what_is_there_and_starts_what_install_writes():
    plugin = load(".cursor-plugin/plugin.json")
    claude = load("manifests/claude-plugin/.claude-plugin/plugin.json")
    toolsets = {"MISTRAL_MCP_TOOLSETS": claude["mcpServers"]["mistral"]["env"]["MISTRAL_MCP_TOOLSETS"]}

    assert (ROOT / plugin["logo"]).is_file()
    assert {file.parent.name for file in (ROOT / plugin["skills"]).glob("*/SKILL.md")} == {
        recipe.name for recipe in recipes()
    }
    assert plugin["mcpServers"] == {"mistral": stdio_entry("cursor", variables=toolsets)}
    assert plugin["description"] == claude["description"]


def test_docker_s_entry_asks_for_what_the_server_reads_and_may_reach_mistral_alone():
    [entry] = documents("manifests/docker/server.yaml")

    assert entry["run"] == {"command": ["stdio"], "allowHosts": ["api.mistral.ai:443"]}
    assert [secret["env"] for secret in entry["config"]["secrets"]] == ["MISTRAL_API_KEY"]
    for variable in entry["config"]["env"]:
        assert variable["name"].removeprefix("MISTRAL_MCP_").lower() in Settings.model_fields
        parameter = re.fullmatch(r"\{\{mistral-mcp\.(\w+)\}\}", variable["value"])
        assert parameter
        assert parameter[1] in entry["config"]["parameters"]["properties"]


# The registry


def test_the_registry_s_entry_keeps_the_dated_schema_s_rules():
    allowed = {
        "$schema",
        "name",
        "title",
        "description",
        "version",
        "websiteUrl",
        "repository",
        "icons",
        "packages",
        "remotes",
    }
    assert set(SERVER) <= allowed | {"_meta"}
    assert SERVER["$schema"] == "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
    assert 3 <= len(SERVER["name"]) <= 200
    assert 1 <= len(SERVER["title"]) <= 100
    assert 1 <= len(SERVER["description"]) <= 100
    assert not re.search(r"[\^~<>*]|latest", SERVER["version"])
    assert set(SERVER["repository"]) >= {"url", "source"}
    for icon in SERVER["icons"]:
        assert icon["src"].startswith("https://")
        assert icon["mimeType"] in {"image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"}
        assert all(re.fullmatch(r"\d+x\d+|any", size) for size in icon["sizes"])


@pytest.mark.parametrize("package", SERVER["packages"], ids=lambda package: package["registryType"])
def test_each_package_in_the_registry_s_entry_can_be_started(package: dict[str, Any]):
    assert set(package) <= {
        *("registryType", "registryBaseUrl", "identifier", "version", "runtimeHint", "transport"),
        *("environmentVariables", "packageArguments", "runtimeArguments", "fileSha256"),
    }
    assert package["transport"] == {"type": "stdio"}
    if package["registryType"] == "oci":
        assert "version" not in package  # it is the tag
        assert re.fullmatch(r"ghcr\.io/[a-z0-9-]+/[a-z0-9-]+:[\w.-]+", package["identifier"])
        assert package["packageArguments"] == [
            package["packageArguments"][0] | {"type": "positional", "value": "stdio"}
        ]
    else:
        assert package["registryType"] == "pypi"
        assert package["identifier"] == tomllib.loads(read("pyproject.toml"))["project"]["name"]
        assert package["runtimeHint"] == "uvx"
    for variable in package["environmentVariables"]:
        assert set(variable) <= {
            "name",
            "description",
            "isRequired",
            "isSecret",
            "format",
            "default",
            "placeholder",
        }
        assert variable.get("format", "string") in {"string", "number", "boolean", "filepath"}
        setting = variable["name"].removeprefix("MISTRAL_MCP_").lower()
        assert variable["name"] == "MISTRAL_API_KEY" or setting in Settings.model_fields
    secrets = [variable["name"] for variable in package["environmentVariables"] if variable.get("isSecret")]
    assert secrets == ["MISTRAL_API_KEY"]


def test_the_remote_in_the_registry_s_entry_is_a_secret_url_that_asks_for_its_parts():
    [remote] = SERVER["remotes"]

    assert remote["type"] == "streamable-http"
    assert set(re.findall(r"\{(\w+)\}", remote["url"])) == set(remote["variables"])
    assert remote["url"].endswith("/c/{token}/mcp")
    assert remote["variables"]["token"]["isSecret"] is True
    assert all(variable["isRequired"] for variable in remote["variables"].values())


def test_the_registry_can_tell_that_package_and_image_are_ours():
    labels = next(rest for name, rest in instructions() if name == "LABEL")

    assert SERVER["name"] == NAME
    assert f'io.modelcontextprotocol.server.name="{NAME}"' in labels
    assert f"mcp-name: {NAME}" in read("README.md")


# Bundles and extensions


def test_the_bundle_keeps_the_key_with_the_host_and_starts_the_server_of_its_version():
    bundle = load("manifests/mcpb/manifest.json")
    folder = ROOT / "manifests/mcpb"

    assert bundle["manifest_version"] == "0.4"
    assert bundle["server"]["type"] == "uv"
    assert (folder / bundle["server"]["entry_point"]).is_file()
    assert (folder / "pyproject.toml").is_file()
    assert not (folder / "server").exists()
    asked = bundle["user_config"]
    assert asked["api_key"]["sensitive"] is asked["api_key"]["required"] is True
    used = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(bundle["server"])))
    assert used == set(asked)
    width, height = struct.unpack(">II", (folder / bundle["icon"]).read_bytes()[16:24])
    assert (width, height) == (512, 512)


def test_the_bundle_s_entry_point_serves_over_stdio():
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }

    finished = subprocess.run(  # noqa: S603
        [sys.executable, ROOT / "manifests/mcpb/server.py"],
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        timeout=60,
    )

    assert json.loads(finished.stdout)["result"]["serverInfo"]["version"] == __version__


def test_the_plugin_and_the_extension_refer_to_the_key_and_hide_it():
    plugin = load("manifests/claude-plugin/.claude-plugin/plugin.json")
    gemini = load("gemini-extension.json")
    marketplace = load(".claude-plugin/marketplace.json")

    assert plugin["mcpServers"]["mistral"]["env"]["MISTRAL_API_KEY"] == "${user_config.api_key}"
    assert plugin["userConfig"]["api_key"]["sensitive"] is True
    assert gemini["mcpServers"]["mistral"]["env"] == {"MISTRAL_API_KEY": "$MISTRAL_API_KEY"}
    assert gemini["settings"] == [gemini["settings"][0] | {"envVar": "MISTRAL_API_KEY", "sensitive": True}]
    for listed in marketplace["plugins"]:
        assert (ROOT / listed["source"] / ".claude-plugin/plugin.json").is_file()


# Where it is hosted


def environment_names(name: str) -> set[str]:
    return set(re.findall(r"\bMISTRAL_MCP_[A-Z_]+", read(name)))


@pytest.mark.parametrize("name", ["manifests/compose.yaml", "manifests/kubernetes.yaml", "Dockerfile"])
def test_only_settings_that_exist_are_set(name: str):
    found = {name.removeprefix("MISTRAL_MCP_").removesuffix("_FILE") for name in environment_names(name)}
    named = {name.lower() for name in found} - {"port"}

    assert named - set(Settings.model_fields) == set()


def test_compose_runs_two_hardened_servers_on_one_vault_and_mounts_secrets_as_files():
    compose = documents("manifests/compose.yaml")[0]
    services = compose["services"]
    serve = services["serve"]

    assert serve["deploy"]["replicas"] == 2
    assert serve["user"] == "10001:10001"
    assert "ports" not in serve
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["healthcheck"]["test"][0] == "CMD"
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|KEYS|DATABASE_URL", key):
                assert key.endswith("_FILE"), key
                assert value.removeprefix("/run/secrets/") in service["secrets"]
    used = set(chain.from_iterable(service.get("secrets", []) for service in services.values()))
    assert set(compose["secrets"]) == used
    assert all(secret["file"] == f"./secrets/{name}" for name, secret in compose["secrets"].items())


def test_the_cluster_s_pods_are_two_bare_and_unprivileged():
    by_kind = {document["kind"]: document for document in documents("manifests/kubernetes.yaml")}
    deployment = by_kind["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    [container] = pod["containers"]

    assert deployment["replicas"] == 2
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert set(container["resources"]) == {"requests", "limits"}
    mounts = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "secrets"}
    for variable in container["env"]:
        assert variable["name"].endswith("_FILE")
        assert variable["value"].rpartition("/")[0] in mounts
    policy = by_kind["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert pod["terminationGracePeriodSeconds"] > 30  # a drain takes that long at most
    selectors = [
        by_kind["Service"]["spec"]["selector"],
        by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ]
    assert selectors == [deployment["template"]["metadata"]["labels"]] * 2


def test_the_proxies_mask_what_a_token_may_stand_in():
    caddy, nginx = read("manifests/Caddyfile"), read("manifests/nginx.conf")

    masks = re.findall(r'request>uri regexp "(.+?)" "(.+?)"', caddy)
    assert len(masks) == len(re.findall(r"(?m)^\tlog\b", caddy)) == 2  # the access log, and the errors
    for pattern, _ in masks:
        for path in (
            "/c/mmcp_abc/mcp",
            "/.well-known/x/c/mmcp_abc/mcp",
            "/C/MMCP_ABC",
            "/x?t=mmcp_abc",
            "/mmcp_abc",
            "/uploads/up_abc",
        ):
            assert "abc" not in re.sub(pattern, "masked", path, flags=re.IGNORECASE).lower()
    assert "$masked_uri" in nginx
    assert not re.search(r"log_format[^;]*\$(request|request_uri|uri|args|http_referer)\b", nginx)
    assert re.search(r"^error_log stderr emerg;", nginx, re.MULTILINE)


# The image


def test_the_image_runs_as_nobody_in_particular_and_serves_unless_told_otherwise():
    steps = instructions()
    last = steps[max(index for index, (name, _) in enumerate(steps) if name == "FROM") :]
    by_name = dict(last)

    assert by_name["USER"] == "10001:10001"
    assert json.loads(by_name["ENTRYPOINT"]) == ["mistral-mcp"]
    assert json.loads(by_name["CMD"])[0] == "serve"
    assert "/healthz" in by_name["HEALTHCHECK"]
    assert [name for name, _ in last].index("USER") < [name for name, _ in last].index("ENTRYPOINT")
    assert len([name for name, _ in steps if name == "FROM"]) == 2


def test_the_image_is_built_from_the_tree_with_the_hashed_lock_and_without_secrets():
    steps = instructions()
    text = read("Dockerfile")

    assert any("--require-hashes" in rest for name, rest in steps if name == "RUN")
    assert "--no-deps --no-build-isolation ." in text
    assert not re.search(
        r"^(ARG|ENV)\b.*(KEY|TOKEN|PASSWORD|DATABASE_URL)", "\n".join(map(" ".join, steps)), re.MULTILINE
    )
    assert not any(name == "ADD" for name, _ in steps)
    assert all(":" in rest for name, rest in steps if name == "FROM")


def test_what_the_image_copies_is_all_that_is_sent_to_be_built():
    kept = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    copied: set[str] = set()
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            copied.update(source.removeprefix("./") for source in rest.split()[:-1])

    assert read(".dockerignore").splitlines()[1] == "*"
    assert copied == kept
