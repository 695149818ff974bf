#!/usr/bin/env bash
# Measures ours beside the Python original and writes docs/performance.md. PYTHON names an interpreter that has the original; without
# it a virtual environment is made in the user's cache folder (about 2 GB).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
    venv="${XDG_CACHE_HOME:-$HOME/.cache}/connect-deepcase/original"
    PYTHON="$venv/bin/python"
    if ! "$PYTHON" -c 'import deepcase, safetensors' 2>/dev/null; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet torch==2.1.0 'numpy<2' deepcase==1.0.1 safetensors tqdm 'pandas<3' scipy scikit-learn
    fi
fi
go run ./bench/compare -python "$PYTHON" -out docs/performance.md "$@"
cat docs/performance.md
