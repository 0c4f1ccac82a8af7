#!/usr/bin/env bash
# Build and test the image without a Docker engine: as root, execute the Dockerfile's steps in a fresh Debian, then run the
# result like the image, with a read-only root and as user `nobody`: over HTTP with its health check, and over stdio.
# Takes some four minutes, most of them to install Debian; the path of an existing debootstrap root can be given instead.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ] || { [ $# -eq 0 ] && ! command -v debootstrap >/dev/null; }; then
    echo "Skipped: this needs root, and debootstrap or a root that it has made." >&2
    exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=${1:-$work/base}
[ -d "$base" ] || debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$base" >/dev/null
"${PYTHON:-python3}" scripts/dockerfile_steps.py "$base" "$work" >"$work/log" 2>&1 || { tail -30 "$work/log"; exit 1; }
echo "The Dockerfile's steps were executed."

export work
# In a namespace, which is removed together with its mounts and network.
unshare --mount --net bash -euo pipefail <<'INSIDE'
root=$work/root
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o uid=10001,gid=10001,mode=700 tmpfs "$root/data"
mount -t proc proc "$root/proc"
ip link set lo up

python=${PYTHON:-python3}
of() { "$python" -c 'import json, sys; print("\0".join(json.load(open(sys.argv[1]))[sys.argv[2]]), end="")' "$work/run.json" "$1"; }
mapfile -d '' entrypoint < <(of entrypoint; printf '\0')
mapfile -d '' cmd < <(of cmd; printf '\0')
mapfile -d '' healthcheck < <(of healthcheck; printf '\0')
mapfile -t environment < <("$python" -c 'import json, sys
for pair in json.load(open(sys.argv[1]))["environment"].items(): print("=".join(pair))' "$work/run.json")
inside() { env -i "${environment[@]}" "${extra[@]}" "$(command -v chroot)" --userspec=10001:10001 "$root" "$@"; }
extra=(HOME=/data)

if inside sh -c 'touch /opt/venv/x' 2>/dev/null; then echo "The root can be written." >&2; exit 1; fi
code=0
inside "${entrypoint[@]}" "${cmd[@]}" 2>"$work/refused" || code=$?
[ "$code" -eq 2 ] || { echo "It must not start without PUBLIC_URL." >&2; exit 1; }
echo "It does not start without a public URL: $(tail -1 "$work/refused")"

extra+=(MISTRAL_MCP_PUBLIC_URL=https://mcp.example.com)
inside "${entrypoint[@]}" "${cmd[@]}" 2>"$work/serve.log" &
server=$!
healthy=
for _ in $(seq 60); do
    if inside "${healthcheck[@]}" 2>/dev/null; then healthy=yes; break; fi
    sleep 0.5
done
kill "$server"
wait "$server" || true
[ -n "$healthy" ] || { echo "Its health check never passed." >&2; cat "$work/serve.log" >&2; exit 1; }
echo "It serves with a read-only root and as nobody, and its health check passes."

printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"ci","version":"1"}}}' |
    inside "${entrypoint[@]}" stdio 2>/dev/null | grep -q '"serverInfo"'
echo "It speaks MCP over stdio by argument."
INSIDE
