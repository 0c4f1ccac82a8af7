#!/usr/bin/env bash
# Measure the branch coverage of the tests, and of the processes that inherit their environment; fails below 95 %.
# `scripts/coverage.sh [PYTHON [PYTEST ARGUMENTS…]]`: without arguments all tests run, the slow ones too.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${1:-.venv/bin/python}
arguments=("${@:2}")
[ ${#arguments[@]} -gt 0 ] || arguments=(-m "slow or not slow")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m pip install --quiet --target "$work/packages" coverage==7.17.5
cat >"$work/coveragerc" <<'INI'
[run]
branch = true
source = mistral_mcp
patch = subprocess
concurrency = thread, greenlet
[report]
exclude_also =
    if TYPE_CHECKING:
    \.\.\.$
    def __repr__
INI
export PYTHONPATH=$work/packages COVERAGE_FILE=$work/data COVERAGE_RCFILE=$work/coveragerc
"$python" -m coverage run -m pytest "${arguments[@]}" || failed=$?
"$python" -m coverage combine --quiet --keep 2>/dev/null || true
"$python" -m coverage report --skip-covered --sort=cover --fail-under=95
exit "${failed:-0}"
