#!/usr/bin/env bash
# What the tests would not notice: small changes of the code that matters most, one at a time (mutmut). Prints those that
# survived, each as a diff; docs/mutation.md explains those of today. Takes long (a change a second on two cores), so no build runs it.
# `scripts/mutation.sh [PYTHON [WORKERS [NAMES…]]]`; a name is a pattern such as `mistral_mcp.credentials*`.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(realpath -s "${1:-.venv/bin/python}")
workers=${2:-2}
names=("${@:3}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/environment"
"$work/environment/bin/python" -m pip install --quiet mutmut==3.8.1
packages() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
packages "$python" >"$(packages "$work/environment/bin/python")/locked.pth"  # what the tests need, below what mutmut needs

mkdir "$work/copy"
git ls-files -z | xargs -0 cp --parents -t "$work/copy"
cd "$work/copy"
mutmut() { "$work/environment/bin/mutmut" "$@"; }
mutmut run --max-children "$workers" "${names[@]}" >"$work/log" 2>&1 || {
    tr "\r" "\n" <"$work/log" | grep -av "Running stats\|Generating mutants" | tail -40  # a test that fails unchanged, say
    exit 1
}

tr '\r' '\n' <"$work/log" | grep -a '🎉' | tail -1 | sed 's/.*🎉/killed/; s/🫥/without a test/; s/⏰/timed out/; s/🤔/suspicious/; s/🙁/survived/; s/🔇.*//'
mutmut results | sed -n 's/^ *\(.*\): survived$/\1/p' | while read -r name; do
    echo "$name"
    mutmut show "$name" | grep -E '^[-+] '
done
