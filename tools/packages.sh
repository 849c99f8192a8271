#!/bin/sh
# packages.sh NAME...: installs missing Debian packages, or lists them if it cannot.
set -eu

missing=
for name in "$@"; do
    status=$(dpkg-query --show --showformat '${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

give_up() {
    echo "Please install these Debian packages (or their equivalents on your system):$missing" >&2
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
# A broken third-party source must not stop this; the installation fails if a package is missing.
$as_root apt-get update -qq || true
# shellcheck disable=SC2086  # one argument per name
$as_root apt-get install -qq --no-install-recommends $missing >/dev/null || give_up
