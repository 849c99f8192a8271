#!/bin/sh
# venv.sh FILE: installs a requirements file into .venv, which is created if missing.
set -eu

find_python() {
    for python in python3.14 python3.13 python3.12 python3.11 python3; do
        # Debian's Python lacks ensurepip, which venv needs to install pip.
        if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# An incomplete .venv, or one whose Python was removed, is recreated.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! python=$(find_python); then
        tools/packages.sh python3-venv
        python=$(find_python) || {
            echo "anonchat needs Python 3.11 or newer with its venv module; please install it." >&2
            exit 1
        }
    fi
    "$python" -m venv .venv
fi

echo "Installing $1 into .venv ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$1"
