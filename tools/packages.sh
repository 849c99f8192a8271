#!/bin/sh
# packages.sh NAME...: installs the Debian packages that are missing, or says which they are.
set -eu

missing=
for name in "$@"; do
    status=$(dpkg-query --show --showformat '${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

give_up() {
    echo "Please install these Debian packages (or their like on your system):$missing" >&2
    exit 1
}

as_root=
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || give_up
    as_root="sudo -n"
fi
command -v apt-get >/dev/null || give_up

echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
# One broken third-party source must not stop us here: whether all is found, the install decides.
$as_root apt-get update -qq || true
# shellcheck disable=SC2086  # the names are words of their own
$as_root apt-get install -qq --no-install-recommends $missing >/dev/null || give_up
