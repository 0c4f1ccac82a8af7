"""Snippets for one secret URL: entries to copy, menu paths and deep links."""

import json
import shlex
from dataclasses import dataclass
from typing import Literal

from mistral_mcp.install.deeplinks import deeplink
from mistral_mcp.install.documents import render
from mistral_mcp.install.hosts import HOSTS, NAME, Host, remote_entry

Language = Literal["en", "fr"]

_FILES = ("cursor", "vscode", "codex", "gemini")
_MORE_FILES = ("vibe", "copilot-cli", "windsurf", "zed", "cline", "opencode", "goose", "lmstudio")

_TITLES: dict[str, dict[Language, str]] = {
    "claude": {"en": "Claude (web, desktop, phone)", "fr": "Claude (web, bureau, téléphone)"},
    "claude-code": {"en": "Claude Code", "fr": "Claude Code"},
    "chatgpt": {"en": "ChatGPT (web)", "fr": "ChatGPT (web)"},
    "vibe-work": {"en": "Vibe (web, phone)", "fr": "Vibe (web, téléphone)"},
    "json": {"en": "Any other client", "fr": "Tout autre client"},
}

# Menus as they are in November 2026. {name} is what the person calls the connector.
_WHERE: dict[str, dict[Language, str]] = {
    "claude": {
        "en": (
            "On the web: Settings, Connectors, Add custom connector; the apps for desktop and phone have it then. On Team "
            "and Enterprise an owner adds it; the free plan has room for one. Name: {name}, authentication: none, URL:"
        ),
        "fr": (
            "Sur le web : Paramètres, Connecteurs, Ajouter un connecteur personnalisé ; les applications de bureau et du "
            "téléphone l'ont ensuite. Avec Team et Enterprise, un propriétaire l'ajoute ; l'offre gratuite en a un. "
            "Nom : {name}, authentification : aucune, URL :"
        ),
    },
    "claude-code": {"en": "In a terminal", "fr": "Dans un terminal"},
    "chatgpt": {
        "en": (
            "On the web only: Settings, Apps, Advanced settings, Developer mode; then Create. With Plus and Pro it uses the "
            "tools that only read, with Business, Enterprise and Edu all. Name: {name}, authentication: none, URL:"
        ),
        "fr": (
            "Sur le web seulement : Paramètres, Applications, Paramètres avancés, Mode développeur ; puis Créer. Avec Plus "
            "et Pro, il emploie les outils qui ne font que lire, avec Business, Enterprise et Edu tous. "
            "Nom : {name}, authentification : aucune, URL :"
        ),
    },
    "vibe-work": {
        "en": (
            "On the web: Connectors, Add connector, Custom MCP connector; the phone's app has it then. On Free, Pro and "
            "Student you may add it yourself, on Team and Enterprise an administrator does. "
            "Name: {name}, authentication: none, URL:"
        ),
        "fr": (
            "Sur le web : Connecteurs, Ajouter un connecteur, Connecteur MCP personnalisé ; l'application du téléphone l'a "
            "ensuite. Avec Free, Pro et Student vous l'ajoutez vous-même, avec Team et Enterprise un administrateur le fait. "
            "Nom : {name}, authentification : aucune, URL :"
        ),
    },
    "json": {
        "en": "Wherever it takes an MCP server over HTTP",
        "fr": "Là où il accepte un serveur MCP par HTTP",
    },
}


# Menus and commands that are not a path; paths are the same in every language.
_FILES_IN_FRENCH = {
    "vscode": "mcp.json (commande « MCP: Open User Configuration »)",
    "zed": "settings.json (commande « zed: open settings file »)",
    "lmstudio": "Program, Install, Edit mcp.json : ~/.lmstudio/mcp.json",
    "cline": "MCP Servers, Configure : ~/.cline/data/settings/cline_mcp_settings.json",
}


@dataclass(frozen=True, slots=True)
class Snippet:
    """The text to copy for one client, and where to put it."""

    host: str
    title: str
    """With its devices, unless it is a program on the computer."""
    where: str
    """The file or the menu, in words."""
    language: Literal["json", "toml", "yaml", "shell", "text"]
    text: str
    """The text to copy; for `text` only the URL."""
    link: str | None = None
    """An app's deep link with the URL, which reaches no web server; or a web client's settings page, without the URL."""


def snippets(url: str, *, name: str = NAME, language: Language = "en") -> list[Snippet]:
    """The snippets of every client that takes a URL, the most used first."""

    def where(host: str) -> str:
        return _WHERE[host][language].format(name=name)

    def title(host: str) -> str:
        return _TITLES[host][language]

    command = ["claude", "mcp", "add", "--transport", "http", "--scope", "user", name, url]
    anything = {"mcpServers": {name: {"type": "http", "url": url}}}
    return [
        Snippet("claude", title("claude"), where("claude"), "text", url, "https://claude.ai/settings/connectors"),
        Snippet("claude-code", title("claude-code"), where("claude-code"), "shell", shlex.join(command)),
        *(_file_snippet(HOSTS[host], url, name, language) for host in _FILES),
        Snippet(
            "chatgpt", title("chatgpt"), where("chatgpt"), "text", url, "https://chatgpt.com/#settings/Connectors"
        ),
        Snippet(
            "vibe-work", title("vibe-work"), where("vibe-work"), "text", url, "https://chat.mistral.ai/connections"
        ),
        *(_file_snippet(HOSTS[host], url, name, language) for host in _MORE_FILES),
        Snippet("json", title("json"), where("json"), "json", json.dumps(anything, indent=2)),
    ]


def _file_snippet(host: Host, url: str, name: str, language: Language) -> Snippet:
    where = host.where
    if language == "fr":
        where = _FILES_IN_FRENCH.get(host.name, where)
    entry = remote_entry(host.name, url)
    text = render(host, name, entry)
    return Snippet(host.name, host.title, where, host.language, text, deeplink(host.name, entry, name=name))
