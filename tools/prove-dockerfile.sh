#!/bin/sh
# Builds the Dockerfile and starts what comes out on a Debian machine that has no Docker: with
# buildah, and with Debian 13's own Python 3.13 in place of the official image of the same version.
set -eu

[ "$(id -u)" = 0 ] || { echo "prove-dockerfile.sh sets up a small Debian: run it as root." >&2; exit 1; }
tools/packages.sh buildah debootstrap ca-certificates

work=$(mktemp -d)
server=
# shellcheck disable=SC2317  # the trap calls it
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

# The least that asks nothing of the kernel: layers are plain folders, a container is a chroot.
cat >"$work/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$work/layers"
runroot = "$work/state"
EOF
export CONTAINERS_STORAGE_CONF="$work/storage.conf" BUILDAH_ISOLATION=chroot

echo "Making the base ..."
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates \
    trixie "$work/debian" >"$work/log" 2>&1 || fail "There is no base."
ln -s /usr/bin/python3 "$work/debian/usr/local/bin/python"
cp /etc/ssl/certs/ca-certificates.crt "$work/debian/etc/ssl/certs/"
printf 'FROM scratch\nCOPY / /\n' >"$work/base"
official=docker.io/library/$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Dockerfile)
buildah build --tag "$official" --file "$work/base" "$work/debian" >"$work/log" 2>&1 || fail "There is no base."

echo "Building ..."
buildah build --format docker --network host --pull-never --tag anonchat . >"$work/log" 2>&1 ||
    fail "The Dockerfile does not build."

echo "Starting ..."
container=$(buildah from --pull-never localhost/anonchat)
run="buildah run --network host --env ANONCHAT_PORT=18080 $container --"
setting() { buildah inspect --format "{{$1}}" localhost/anonchat; }
# shellcheck disable=SC2016,SC2086  # the inner shell has to ask who it is; words are words
$run sh -c 'test "$(id -u)" != 0 && touch /data/x && ! touch /app/x && ! test -e /venv/bin/pip' \
    >"$work/log" 2>&1 || fail "The image gives too much, or too little."
# shellcheck disable=SC2046,SC2086
$run $(setting 'range .Docker.Config.Cmd}}{{.}} {{end') >"$work/log" 2>&1 &
server=$!
healthcheck=$(setting 'index .Docker.Config.Healthcheck.Test 1')
for _ in $(seq 30); do
    sleep 1
    # shellcheck disable=SC2086
    if $run sh -c "$healthcheck" >/dev/null 2>&1; then
        echo "The image builds, starts without root and calls itself healthy."
        exit 0
    fi
done
fail "The image was built, but never became healthy."
