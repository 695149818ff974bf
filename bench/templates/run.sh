#!/usr/bin/env bash
# Measures templates of log lines beside Drain3, and writes the numbers of docs/templates.md. PYTHON names an interpreter that has drain3; without
# it a virtual environment is made in the user's cache folder (30 MB). DATA names the folder with the logs of LogHub. Arguments go to the command.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${PYTHON:-}" ]; then
    venv="${XDG_CACHE_HOME:-$HOME/.cache}/connect-deepcase/drain3"
    PYTHON="$venv/bin/python"
    if ! "$PYTHON" -c 'import drain3' 2>/dev/null; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet drain3==0.9.11
    fi
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
go build -o "$work/templates" ./bench/templates # built first, so that no compiler runs beside the measurement
"$work/templates" -python "$PYTHON" -data "${DATA:-../shared/data/loghub}" "$@" > "$work/numbers.md"
sed '/^## Numbers$/,$d' docs/templates.md > "$work/page.md"
{ cat "$work/page.md"; printf '## Numbers\n\n`make bench-templates` prints and writes them.\n\n'; cat "$work/numbers.md"; } > docs/templates.md
cat "$work/numbers.md"
