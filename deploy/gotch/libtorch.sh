#!/usr/bin/env bash
# Prints the environment in which `go build` and `go test` have the gotch engine:
#
#     eval "$(deploy/gotch/libtorch.sh)" && go build ./cmd/connect-deepcase
#
# It takes libtorch from the first of: $LIBTORCH (an unpacked libtorch, with include/ and lib/); the torch of $PYTHON (python3); a CPU build that
# is fetched once with pip and mvn into the cache folder (180 MB, 470 MB unpacked). With FETCH=1 it always takes the fetched one.
# Versions 2.1 to 2.11. Needs g++. The first build compiles gotch's C++ in about three minutes; later builds take it from Go's cache.
set -euo pipefail
trap '[ $? = 0 ] || echo false' EXIT # else an eval of nothing would succeed
here="$(cd "$(dirname "$0")" && pwd)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/connect-deepcase/gotch"
say() { echo "libtorch.sh: $*" >&2; }
die() { say "$*"; exit 1; }

version() { # prints the version of the libtorch in a folder, from its headers
    sed -nE 's/^#define TORCH_VERSION_(MAJOR|MINOR) ([0-9]+).*/\2/p' "$1/include/torch/csrc/api/include/torch/version.h" \
        "$1/include/torch/headeronly/version.h" 2>/dev/null | head -2 | paste -sd. || true
}

fetch() { # into a folder: libraries from DJL's jar, headers (the same for all systems) from the smallest wheel
    command -v mvn >/dev/null || die "fetching libtorch needs mvn (Maven); or set LIBTORCH to an unpacked libtorch of version 2.1 to 2.11"
    local tmp
    tmp="$(mktemp -d "$cache/fetch.XXXXXX")"
    trap 'rm -rf "$tmp"' RETURN
    say "fetching libtorch 2.1 for the CPU into $1 (180 MB, once)"
    python3 -m pip download -q --no-deps --only-binary=:all: --platform macosx_11_0_arm64 --python-version 3.11 --implementation cp \
        -d "$tmp" torch==2.1.0 >&2
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -DoutputDirectory="$tmp" \
        -Dartifact=ai.djl.pytorch:pytorch-native-cpu:2.1.1:jar:linux-x86_64 >&2
    python3 - "$tmp" <<'PY'
import glob, os, shutil, sys, zipfile
tmp = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(tmp + "/*.whl")[0])
wheel.extractall(tmp, [n for n in wheel.namelist() if n.startswith("torch/include/")])
os.mkdir(tmp + "/torch/lib")
jar = zipfile.ZipFile(glob.glob(tmp + "/*.jar")[0])
for n in jar.namelist():
    if n.startswith("pytorch/cpu/linux-x86_64/lib"):
        with jar.open(n) as a, open(tmp + "/torch/lib/" + os.path.basename(n), "wb") as b:
            shutil.copyfileobj(a, b)
PY
    mv "$tmp/torch" "$1"
}

mkdir -p "$cache"
exec 9>"$cache/lock" && flock 9
torch="${LIBTORCH:-}" from="LIBTORCH"
if [ -n "${FETCH:-}" ]; then
    torch=""
elif [ -z "$torch" ]; then
    from="${PYTHON:-python3}"
    torch="$("$from" -c 'import torch, os; print(os.path.dirname(torch.__file__))' 2>/dev/null || true)"
fi
if [ -z "$torch" ]; then
    from="the cache" torch="$cache/libtorch-2.1-cpu"
    [ -d "$torch/lib" ] || fetch "$torch"
fi
found="$(version "$torch")"
case "$found" in
2.1) flags="" ;;
2.[2-9] | 2.1[01]) flags="-include $cache/gotch-compat.h" ;;
*) die "$torch (from $from) is version ${found:-unknown}, need 2.1 to 2.11; FETCH=1 fetches one" ;;
esac
[ -e "$torch/lib/libtorch_cpu.so" ] || die "$torch (from $from) has no lib/libtorch_cpu.so"
say "libtorch $found in $torch, from $from"

# Go's cache finds compiled C++ by the names of compiler and flags. So the files that they name are in one place for all checkouts.
install -m 755 "$here/fastcxx" "$cache/fastcxx"
install -m 644 "$here/gotch-compat.h" "$cache/gotch-compat.h"
# gotch links CUDA by name. Empty archives satisfy the linker. The libraries themselves are opened at start, if there are any.
mkdir -p "$cache/stubs"
for l in cuda cudart cublas cudnn caffe2_nvrtc nvrtc-builtins nvrtc nvToolsExt c10_cuda torch_cuda; do
    [ -e "$cache/stubs/lib$l.a" ] || ar crs "$cache/stubs/lib$l.a"
done
# Which of libstdc++'s two std::string this libtorch was built with.
abi=0
grep -q torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_string "$torch/lib/libc10.so" && abi=1
case "$cache$torch" in *[[:space:],]*) die "the linker's flags cannot hold a space or comma in a path: $cache, $torch" ;; esac

export_() { printf 'export %s=%q\n' "$1" "$2"; }
export_ LIBTORCH "$torch"
export_ CGO_ENABLED 1
export_ CXX "$cache/fastcxx"
export_ CGO_CXXFLAGS "-D_GLIBCXX_USE_CXX11_ABI=$abi -I$torch/include -I$torch/include/torch/csrc/api/include $flags"
# Through linker flags and not CGO_LDFLAGS, which would make Go compile all packages a second time.
export_ GOFLAGS "$(go env GOFLAGS) -tags=gotch -ldflags=-extldflags=-Wl,--allow-shlib-undefined,-L$cache/stubs,-L$torch/lib,-rpath,$torch/lib"
