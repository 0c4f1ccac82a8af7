#!/usr/bin/env bash
# What the tests would not notice: small changes of the code that matters most, one at a time (mutmut). Prints for each part how
# many there were, and those that survived, as diffs; docs/mutation.md explains those of today. Takes half an hour of an idle
# processor, so no build runs it.
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

mutate() {  # NAME CODE TESTS…: only its own tests are asked, or each survivor would take minutes
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
# A look for garbage after every test run, of all there is, would take more than the tests do.
pytest_add_cli_args =
$(lines -p no:unraisableexception -p no:cacheprovider)
# What nobody runs (types), and what nobody reads but who debugs.
do_not_mutate_patterns =
$(lines '\bcast\(' '_log\.debug\(')
also_copy =
    README.md
use_git_change_detection = false
# A test of a millisecond takes a second where others work too: (its time + 10) * 4 before it counts as hanging.
timeout_constant = 10
timeout_multiplier = 4
EOF
    mutmut run --max-children "$workers" >"$work/log" 2>&1 || {
        tr "\r" "\n" <"$work/log" | grep -av "Running stats\|Generating mutants" | tail -40  # a test that fails unchanged, say
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

# In tests of the arguments tools are made anew: those made on import would hide a change of what reads their schemas.
mutate sealing mistral_mcp/hosting/vault/sealing.py tests/hosting/vault/test_sealing.py
mutate credentials mistral_mcp/credentials.py tests/test_credentials.py tests/http/test_byok.py
mutate retries mistral_mcp/mistral/transports/retries.py tests/mistral/transports/test_{retries,fresh_files}.py
mutate limits mistral_mcp/mistral/transports/limits.py tests/mistral/transports/test_limits*.py
mutate arguments 'mistral_mcp/tools/framework/arguments/*.py' \
    tests/tools/framework/arguments/test_{problems,reading,shapes,wrappers}.py
