#!/usr/bin/env bash
# Makes an archive that checks a GPU on a machine without Go: archive.sh FILE.tar.xz. Unpack it on that machine and run ./gpu-check.sh.
# The test binary contains its golden vectors and programs. Both binaries fit the libtorch that libtorch.sh found here, so set LIBTORCH to the
# version of that machine.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
out="$(realpath "$1")"
eval "$("$here/libtorch.sh")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$here/../.."
go test -c -o "$work/torch.test" ./model/contextbuilder/torch
go build -tags gotch,slim -o "$work/connect-deepcase" ./cmd/connect-deepcase
strip "$work/torch.test" "$work/connect-deepcase"
cp "$here/gpu-check.sh" "$work"
tar -C "$work" -cJf "$out" .
ls -l "$out" | awk '{printf "%s: %.1f MiB\n", $NF, $5 / 1048576}'
[ "$(stat -c %s "$out")" -lt $((40 << 20)) ] || { echo "larger than 40 MiB" >&2; exit 1; }
