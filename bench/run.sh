#!/usr/bin/env bash
# Measures ours beside the Python original, the pipeline and how time and memory grow, and writes docs/performance.md, or
# docs/performance-amd.md if PROCESSOR is amd. Arguments go to the comparison (-rounds 1 -jobs sequence, say). PYTHON names an
# interpreter that has the original; without it a virtual environment is made in the user's cache folder (about 2 GB). DATA names
# the folder with hdfs/ and ait-ads/.
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
data="${DATA:-../shared/data}"
suffix="${PROCESSOR:+-$PROCESSOR}"
page="docs/performance$suffix.md"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for command in compare pipeline scaling; do # built first, so that no compiler runs beside a measurement
    go build -o "$work/$command" "./bench/$command"
done
"$work/compare" -python "$PYTHON" -data "$data" "$@" > "$work/performance.md"
if [ -d "$data/ait-ads" ]; then
    "$work/pipeline" -data "$data/ait-ads" >> "$work/performance.md"
    "$work/scaling" -data "$data/ait-ads" -plot "docs/scaling$suffix.svg" >> "$work/performance.md"
else
    echo "bench: no $data/ait-ads: pipeline and scaling are not measured" >&2
fi
{
    cat <<'END'

## Reading files

`go test ./sequencer -run '^$' -bench BenchmarkRead -cpu 1`: one core reads rows of four fields (*short*, *array*, *objects*), alerts with a payload, and
real alerts of AIT-ADS, Suricata and Wazuh.

```
END
    go test ./sequencer -run '^$' -bench BenchmarkRead -cpu 1
    cat <<'END'
```

## The decision journal

`go test ./model/decisions -run '^$' -bench .`. `BenchmarkFold` reads a journal of 1,000,000 answers to as many patterns in a process of its own,
and prints the seconds and its peak memory (resident set); `DECISIONS` sets another number. `BenchmarkLookUp` settles a verdict by such a journal,
`BenchmarkKeys` is what an event costs before that, and `BenchmarkRefresh` a look for news when there are none.
`KILLS=1000 go test ./model/decisions -run KilledWriters -v` kills three writers at random moments.

```
END
    go test ./model/decisions -run '^$' -bench .
    echo '```'
} >> "$work/performance.md"
cp "$work/performance.md" "$page"
cat "$page"
