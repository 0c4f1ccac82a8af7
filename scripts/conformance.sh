#!/usr/bin/env bash
# Run the MCP conformance suite against `serve`: through a secret URL, and through /mcp behind a small proxy that adds the
# header, because the suite cannot send one.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${1:-.venv/bin/python}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

tools=${NODE_TOOLS:-$work/npm}
[ -n "${NODE_TOOLS:-}" ] || scripts/npm.sh "$tools"

"$python" tests/conformance/serving.py "$work/urls" &
pids+=($!)
for _ in $(seq 300); do [ -s "$work/urls" ] && break; sleep 0.1; done

failed=0
while read -r endpoint url; do
    for version in 2026-07-28 2025-11-25; do
        log="$work/$endpoint-$version.log"
        if "$tools/node_modules/.bin/node" "$tools/node_modules/@modelcontextprotocol/conformance/dist/index.js" server \
            --url "$url" --suite all --spec-version "$version" -o "$work/out-$endpoint-$version" \
            --expected-failures "tests/conformance/baseline-$version.yml" >"$log" 2>&1; then
            verdict="as expected"
        else
            verdict="NOT as expected"
            failed=1
            sed 's|/c/[^/ ]*/|/c/…/|g' "$log" | tail -40
        fi
        printf '%-12s %s: %s, %s\n' "$endpoint" "$version" "$(grep '^Total' "$log")" "$verdict"
    done
    # Scenarios of extensions are not in a revision's suite, so each is run by name; with all toolsets, for all skills.
    for scenario in sep-2640-skills-enumeration sep-2640-skills-manifest; do
        log="$work/$endpoint-$scenario.log"
        verdict="as expected"
        if ! "$tools/node_modules/.bin/node" "$tools/node_modules/@modelcontextprotocol/conformance/dist/index.js" server \
            --url "$url?toolsets=all" --scenario "$scenario" --force --spec-version 2026-07-28 \
            -o "$work/out-$endpoint-skills" >"$log" 2>&1 || ! grep -q '^Passed: .* 0 failed, 0 warnings' "$log"; then
            verdict="NOT as expected"
            failed=1
            sed 's|/c/[^/ ]*/|/c/…/|g' "$log" | tail -40
        fi
        printf '%-12s %s: %s, %s\n' "$endpoint" "$scenario" "$(grep '^Passed' "$log")" "$verdict"
    done
done <"$work/urls"
echo "authorization server:"
PATH="$tools/node_modules/.bin:$PATH" PYTHONPATH=. "$python" tests/conformance/authorization.py "$tools/node_modules/.bin/conformance" || failed=1
exit "$failed"
