#!/usr/bin/env bash
# Run real clients against the server: over stdio, /mcp with headers, the secret URL, and signed in by OAuth. Each client has a
# fixed version and its own home. Prints a table; fails if a client fails, or if a schema converter rejects or loses something.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${1:-.venv/bin/python}
work=$(mktemp -d)
installing=()
trap 'kill "${installing[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

environment() {  # of that name, with the packages, by the first of the interpreters that can
    local name=$1 packages=$2
    shift 2
    for interpreter in "$@"; do
        if "$interpreter" -c 'import venv, ensurepip' 2>/dev/null; then
            "$interpreter" -m venv "$work/environments/$name"
            # shellcheck disable=SC2086 - several packages
            "$work/environments/$name/bin/python" -m pip install --quiet $packages || echo "pip cannot install $packages" >&2
            return
        fi
    done
    echo "There is none of $* for $packages" >&2
}

tools=${NODE_TOOLS:-$work/npm}
if [ -z "${NODE_TOOLS:-}" ]; then
    scripts/npm.sh "$tools" &
    installing+=($!)
fi
environment fastmcp "fastmcp-slim[client]==4.1.6" "$python" &
installing+=($!)
environment google "google-genai==3.6.1 mcp==2.3.0" "$python" &
installing+=($!)
environment converters "openai-agents==0.24.0 pydantic-ai-slim[openai]==2.68.0 google-genai==3.6.1" "$python" &
installing+=($!)
environment agents openai-agents==0.24.0 "$python" &
installing+=($!)
environment langchain_mcp_adapters langchain-mcp-adapters==0.3.2 "$python" &
installing+=($!)
environment smolagents "smolagents[mcp]==1.26.0 mcp==1.30.0 websockets==17.4" "$python" &  # its adapter knows no newer mcp
installing+=($!)
environment mcpo "mcpo==0.0.20 mcp==1.30.0 fastapi==0.129.2" "$python" &  # likewise
installing+=($!)
environment vibe mistral-vibe==3.0.2 "${PYTHON:-python3.13}" python3.13 python3.12 &  # it needs 3.12
installing+=($!)
for job in "${installing[@]}"; do wait "$job"; done

failed=0
"$python" -m tests.clients "$tools/node_modules" "$work/environments" || failed=1
echo "What libraries' own converters make of all input schemas:"
"$work/environments/converters/bin/python" tests/clients/schema_converters.py "$(dirname "$python")/mistral-mcp" || failed=1
exit $failed
