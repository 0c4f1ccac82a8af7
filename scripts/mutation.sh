#!/usr/bin/env bash
# Mutation testing with mutmut: make small changes to the most critical code, one at a time, and check that tests fail. Prints
# the number of mutants of each part, and the survivors as diffs; docs/mutation.md explains the current ones. Takes half an hour
# on an idle processor, so no build runs it.
# `scripts/mutation.sh [PYTHON [WORKERS [PART…]]]`, of the parts below.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(realpath -s "${1:-.venv/bin/python}")
workers=${2:-2}
wanted=" ${*:3} "
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/environment"
"$work/environment/bin/python" -m pip install --quiet mutmut==3.8.1
packages() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
packages "$python" >"$(packages "$work/environment/bin/python")/locked.pth"  # what the tests need, below what mutmut needs
mutmut() { "$work/environment/bin/mutmut" "$@"; }
lines() { printf '    %s\n' "$@"; }

mutate() {  # NAME CODE TESTS…: runs only the tests of this code, or each survivor would take minutes
    [[ $wanted =~ ^\ *$ || $wanted = *" $1 "* ]] || return 0
    mkdir "$work/$1"
    git ls-files -z | xargs -0 cp --parents -t "$work/$1"
    pushd "$work/$1" >/dev/null
    cat >setup.cfg <<EOF
[mutmut]
source_paths =
    mistral_mcp
only_mutate =
    $2
pytest_add_cli_args_test_selection =
$(lines "${@:3}")
# A full garbage collection after every test run would take longer than the tests.
pytest_add_cli_args =
$(lines -p no:unraisableexception -p no:cacheprovider)
# Excludes code that never runs (types), and texts that only help in debugging.
do_not_mutate_patterns =
$(lines '\bcast\(' '_log\.debug\(')
also_copy =
    README.md
use_git_change_detection = false
# On a busy machine a test of a millisecond may take a second: it counts as hanging after (its time + 10) * 4.
timeout_constant = 10
timeout_multiplier = 4
EOF
    mutmut run --max-children "$workers" >"$work/log" 2>&1 || {
        tr "\r" "\n" <"$work/log" | grep -av "Running stats\|Generating mutants" | tail -40  # such as a test that fails without changes
        exit 1
    }
    echo "== $1: $(tr '\r' '\n' <"$work/log" | grep -a '🎉' | tail -1 |
        sed 's/.*🎉/killed/; s/🫥/without a test/; s/⏰/timed out/; s/🤔/suspicious/; s/🙁/survived/; s/🔇.*//')"
    mutmut results | sed -n 's/^ *\(.*\): survived$/\1/p' | while read -r name; do
        echo "$name"
        mutmut show "$name" | grep -E '^[-+] '
    done
    popd >/dev/null
}

# The tests of arguments build the tools again: those built on import would hide changes to the code that reads their schemas.
mutate sealing mistral_mcp/hosting/vault/sealing.py tests/hosting/vault/test_sealing.py
mutate credentials mistral_mcp/credentials.py tests/test_credentials.py tests/http/test_byok.py
mutate retries mistral_mcp/mistral/transports/retries.py tests/mistral/transports/test_{retries,fresh_files}.py
mutate limits mistral_mcp/mistral/transports/limits.py tests/mistral/transports/test_limits*.py
mutate arguments 'mistral_mcp/tools/framework/arguments/*.py' \
    tests/tools/framework/arguments/test_{problems,reading,shapes,wrappers}.py
