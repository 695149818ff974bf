#!/usr/bin/env bash
# Checks the gotch engine on a GPU and prints one table: gpu-check.sh [DEVICE]. DEVICE is cuda (default), cuda:N or libtorch, which is
# libtorch on the CPU. ROWS is how many samples it trains on and queries: 1,000,000, as the goals are for, and on the CPU 12,800.
#
# In the repository, it builds what it runs, with the libtorch that libtorch.sh finds. From the archive that archive.sh makes, it needs no Go, but
# a machine with torch: $LIBTORCH, or that of $PYTHON (python3).
set -euo pipefail
device="${1:-cuda}"
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if [ -x "$here/torch.test" ]; then
    test="$here/torch.test" binary="$here/connect-deepcase"
    torch="${LIBTORCH:-$("${PYTHON:-python3}" -c 'import torch, os; print(os.path.dirname(torch.__file__))')}"
    export LD_LIBRARY_PATH="$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
else
    eval "$("$here/libtorch.sh")"
    test="$work/torch.test" binary="$work/connect-deepcase"
    (cd "$here/../.." && go test -c -o "$test" ./model/contextbuilder/torch && go build -tags gotch,slim -o "$binary" ./cmd/connect-deepcase)
    cd "$here/../../model/contextbuilder/torch"
fi
rows="${ROWS:-1000000}" flag="$device"
[ "$device" != libtorch ] || { rows="${ROWS:-12800}" flag=cpu; }
[[ "$rows" =~ ^[1-9][0-9]*$ ]] || { echo "ROWS: $rows is not a number of samples, at least 1" >&2; exit 2; }

verdict=passed lines=()
row() { lines+=("| $1 | ${2:-FAILED} | $3 |"); echo "$1: ${2:-FAILED} ${3:+($3)}" >&2; }

# speed: invented samples, all distinct, 300 events
measure() { # runs benchmarks, by a pattern; more flags may follow
    "$test" -device "$flag" -rows "$rows" -test.run '^$' -test.bench "$1" -test.benchtime 1x "${@:2}" >"$work/bench" 2>&1 ||
        { cat "$work/bench" >&2; verdict=FAILED; }
}
speed() { # prints the speed of a benchmark, by its name; nothing if it failed
    awk -v name="$1" '$1 ~ name {for (i = 5; i <= NF; i++) if ($i == "samples/s") printf "%.3f s, %s samples/s", $3 / 1e9, $(i - 1)}' "$work/bench"
}
measure '/invented'
row "training epoch, $rows samples, batch 128" "$(speed '^BenchmarkTrain/invented300/128/')" "goal on an H200, 1 M samples: under 6 s; paper: 37.2 s"
row "training epoch, $rows samples, batch 1,024" "$(speed '^BenchmarkTrain/invented300/1024/')" "goal: under 1.5 s"
row "query, $rows distinct samples" "$(speed "^BenchmarkQuery/invented300/$rows/")" "goal: under 5 s; paper: 31.0 s"
row "query, 1 sample" "$(speed '^BenchmarkQuery/invented300/1/')" ""
measure 'Train/invented300/1024' -layers 2 -bidirectional
row "training epoch, $rows samples, batch 1,024, 2 layers, both directions" "$(speed '^BenchmarkTrain/invented300/1024/')" ""

# a short pipeline: learn on the device, predict there and on the CPU engine
cd "$work"
"$binary" deepcase demo --split --out alerts.ndjson >demo 2>&1
begin=$SECONDS
"$binary" deepcase cluster --device "$device" --seed 1 --ndjson alerts-train.ndjson --save-interpreter model >cluster 2>&1 &&
    took="$((SECONDS - begin)) s" || { cat cluster >&2; took="" verdict=FAILED; }
row "learn and cluster $(wc -l <alerts-train.ndjson) alerts" "$took" "$(grep -h -m1 'computing on' cluster || true)"
for on in "$device" cpu; do
    "$binary" deepcase automatic --device "$on" --ndjson alerts-new.ndjson --load-interpreter model --save-prediction "$on.csv" >predict 2>&1 ||
        { cat predict >&2; verdict=FAILED; }
done
differ=""
if [ -e "$device.csv" ] && [ -e cpu.csv ]; then
    differ="$(diff "$device.csv" cpu.csv | grep -c '^<' || true)"
    [ "$differ" -le $(($(wc -l <cpu.csv) / 500)) ] || verdict=FAILED
    differ="$differ of $(($(wc -l <cpu.csv) - 1))"
fi
row "predictions of $device and of our CPU engine that differ" "$differ" "goal: 2 in 1,000 at most"

# conformance: every test of the package, on the device. It comes last because it takes longest: who interrupts it has seen the rest.
if "$test" -device "$flag" -test.v >"$work/tests" 2>&1; then result=passed; else result=FAILED verdict=FAILED; grep -v '^=== ' "$work/tests" >&2; fi
row "conformance" "$result" "$(grep -c -- '--- PASS' "$work/tests") tests passed, $(grep -c -- '--- FAIL' "$work/tests" || true) failed"

name="$(command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | paste -sd';' || echo 'no nvidia-smi')"
printf '\n%s, %s, %s\n\n| what | result | note |\n|---|---|---|\n' "$device" "$name" "$(nproc) processors"
printf '%s\n' "${lines[@]}"
[ "$verdict" = passed ]
