#!/usr/bin/env bash
# Makes an archive to check a GPU with where there is no Go: archive.sh FILE.tar.xz. There, unpack it and run ./gpu-check.sh.
# The tests hold golden vectors and programs. Both binaries fit the libtorch that libtorch.sh found here, so set LIBTORCH to one of the
# version that is there.
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
