#!/bin/sh
# Builds the Dockerfile and starts the image on a Debian machine without Docker: with buildah, and
# with Debian 13's Python 3.13 instead of the official image of the same version.
set -eu

[ "$(id -u)" = 0 ] || { echo "prove-dockerfile.sh runs debootstrap: run it as root." >&2; exit 1; }
tools/packages.sh buildah debootstrap ca-certificates

work=$(mktemp -d)
server=
# shellcheck disable=SC2317  # called by the trap
clean_up() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail() {
    echo "$1" >&2
    tail "$work/log" >&2
    exit 1
}

# Needs no kernel features: layers are plain folders, a container is a chroot.
cat >"$work/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$work/layers"
runroot = "$work/state"
EOF
export CONTAINERS_STORAGE_CONF="$work/storage.conf" BUILDAH_ISOLATION=chroot

echo "Building the base image ..."
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates \
    trixie "$work/debian" >"$work/log" 2>&1 || fail "The base image does not build."
ln -s /usr/bin/python3 "$work/debian/usr/local/bin/python"
cp /etc/ssl/certs/ca-certificates.crt "$work/debian/etc/ssl/certs/"
printf 'FROM scratch\nCOPY / /\n' >"$work/base"
official=docker.io/library/$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Dockerfile)
buildah build --tag "$official" --file "$work/base" "$work/debian" >"$work/log" 2>&1 || fail "The base image does not build."

echo "Building ..."
buildah build --format docker --network host --pull-never --tag anonchat . >"$work/log" 2>&1 ||
    fail "The Dockerfile does not build."

echo "Starting ..."
container=$(buildah from --pull-never localhost/anonchat)
run="buildah run --network host --env ANONCHAT_PORT=18080 $container --"
setting() { buildah inspect --format "{{$1}}" localhost/anonchat; }
# shellcheck disable=SC2016,SC2086  # expanded by the inner shell; split into words
$run sh -c 'test "$(id -u)" != 0 && touch /data/x && ! touch /app/x && ! test -e /venv/bin/pip' \
    >"$work/log" 2>&1 || fail "The user, file permissions or pip in the image are wrong."
# shellcheck disable=SC2046,SC2086
$run $(setting 'range .Docker.Config.Cmd}}{{.}} {{end') >"$work/log" 2>&1 &
server=$!
healthcheck=$(setting 'index .Docker.Config.Healthcheck.Test 1')
for _ in $(seq 30); do
    sleep 1
    # shellcheck disable=SC2086
    if $run sh -c "$healthcheck" >/dev/null 2>&1; then
        echo "The image builds, runs without root and becomes healthy."
        exit 0
    fi
done
fail "The image builds, but does not become healthy within 30 s."
