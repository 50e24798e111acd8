#!/usr/bin/env bash
# Builds the Pulumi engine, and puts Postroad's Python language host beside it, in a cache folder named by the recipe's hash.
#
# usage: tools/pulumi/build.sh BIN_DIR
#
# BIN_DIR receives links to `pulumi`, `pulumi-language-python` and `pulumi-language-python-exec`. A `pulumi` that is on
# PATH already wins: then nothing is built and BIN_DIR receives no links.
set -euo pipefail

bin_dir=${1:?usage: tools/pulumi/build.sh BIN_DIR}
recipe=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$bin_dir" && bin_dir=$(cd "$bin_dir" && pwd)
cache_root=${POSTROAD_CACHE:-/var/cache/postroad}
version=v3.259.0

fail() { printf 'pulumi engine: %s\n' "$1" >&2; exit 1; }

if existing=$(command -v pulumi) && [ "$(readlink -f "$existing")" != "$(readlink -f "$bin_dir/pulumi")" ]; then
    exit 0
fi

stamp=$(cat "$recipe"/go.mod "$recipe"/go.sum "$recipe"/build.sh | sha256sum | cut -c1-12)
cache=$cache_root/pulumi/$version-$stamp
mkdir -p "$cache_root/pulumi" || fail "cannot write $cache_root (set POSTROAD_CACHE to a folder you own)"

whole() { [ -e "$cache/.complete" ] && [ -x "$cache/pulumi" ] && [ -x "$cache/pulumi-language-python-exec" ]; }
if ! whole; then
    # One build at a time; whoever waited finds the finished one.
    exec 9>"$cache_root/pulumi/.lock"
    flock 9
    if ! whole; then
        command -v go >/dev/null || fail "no Go compiler on PATH; run: make env"
        partial=$(mktemp -d "$cache_root/pulumi/.build.XXXXXX")
        trap 'rm -rf "$partial"' EXIT
        echo "pulumi engine: building $version (about 5 minutes on 2 cores, once)" >&2
        cd "$recipe"
        go build -trimpath -o "$partial/pulumi" \
            -ldflags="-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$version" \
            github.com/pulumi/pulumi/pkg/v3/cmd/pulumi || fail "the build failed; the lines above say why; repeat: make env"
        sdk=$(go list -m -f '{{.Dir}}' github.com/pulumi/pulumi/sdk/v3)
        install -m 0755 "$sdk/python/cmd/pulumi-language-python-exec" "$partial/pulumi-language-python-exec"
        "$partial/pulumi" version >/dev/null || fail "the built engine does not start"
        touch "$partial/.complete"
        chmod 0755 "$partial"
        rm -rf "$cache"
        mv "$partial" "$cache"
        trap - EXIT
    fi
fi

ln -sfn "$cache/pulumi" "$bin_dir/pulumi"
ln -sfn "$cache/pulumi-language-python-exec" "$bin_dir/pulumi-language-python-exec"
install -m 0755 "$recipe/pulumi-language-python" "$bin_dir/pulumi-language-python"
