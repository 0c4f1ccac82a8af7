"""Update the manifests: clients' entries from `mistral_mcp.install`; version, description and skills from `mistral_mcp`."""

import re
from pathlib import Path

from mistral_mcp import __version__
from mistral_mcp.install import HOSTS, stdio_entry
from mistral_mcp.install.documents import render
from mistral_mcp.install.plan import PLACEHOLDER
from mistral_mcp.server import DESCRIPTION
from mistral_mcp.skills.recipes import recipes

ROOT = Path(__file__).parent.parent

ENTRIES = {
    "manifests/claude-desktop.json": "claude-desktop",
    "manifests/claude-code.mcp.json": "claude-code",
    "manifests/cursor.json": "cursor",
    "manifests/vscode.json": "vscode",
    "manifests/codex.toml": "codex",
}

VERSIONED = {
    "manifests/server.json": (r'"version": "', r"ghcr\.io/mistral-mcp/mistral-mcp:"),
    "manifests/mcpb/manifest.json": (r'"version": "',),
    "manifests/mcpb/pyproject.toml": (r'version = "', r"mistral-mcp=="),
    "manifests/claude-plugin/.claude-plugin/plugin.json": (r'"version": "',),
    ".claude-plugin/marketplace.json": (r'"version": "',),
    "gemini-extension.json": (r'"version": "',),
    ".cursor-plugin/plugin.json": (r'"version": "',),
    "manifests/compose.yaml": (r"ghcr\.io/mistral-mcp/mistral-mcp:",),
    "manifests/kubernetes.yaml": (r"ghcr\.io/mistral-mcp/mistral-mcp:",),
    "Dockerfile": (r'org\.opencontainers\.image\.version="',),
}

DESCRIBED = (
    "manifests/server.json",
    "manifests/mcpb/manifest.json",
    "manifests/docker/server.yaml",
    ".claude-plugin/marketplace.json",
    "gemini-extension.json",
)


def files() -> dict[str, str]:
    """The content that each manifest should have, by its path."""
    found: dict[str, str] = {}
    for name, host in ENTRIES.items():
        key = None if HOSTS[host].stdio_reference else PLACEHOLDER
        found[name] = render(HOSTS[host], "mistral", stdio_entry(host, key=key)) + "\n"
    for name, places in VERSIONED.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for place in places:
            text = re.sub(rf"({place})[0-9][\w.+-]*", rf"\g<1>{__version__}", text)
        found[name] = text
    for name in DESCRIBED:
        text = found.get(name) or (ROOT / name).read_text(encoding="utf-8")
        found[name] = re.sub(r'(description"?: ")Mistral\'s models as tools: [^"]+', rf"\g<1>{DESCRIPTION}", text)
    for recipe in recipes():
        found[f"manifests/claude-plugin/skills/{recipe.name}/SKILL.md"] = recipe.text
    return found


if __name__ == "__main__":
    for name, text in files().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
