#!/usr/bin/env bash
# Installs what npm does not: Synapse, the homeserver that test/synapse/ starts, into .venv. Quick where it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=test/synapse/requirements.txt
wanted=$(sed -n 's/^matrix-synapse==//p' "$requirements")

tell_and_stop() {
  echo "$1" >&2
  exit 1
}

installed() {
  .venv/bin/python -c 'from importlib.metadata import version; print(version("matrix-synapse"))' 2>/dev/null
}

if [ "$(installed)" = "$wanted" ]; then
  echo "Synapse $wanted is installed in .venv already."
  exit 0
fi

command -v python3 >/dev/null ||
  tell_and_stop "Synapse needs Python, and there is no python3 here. Install Python 3.10 or newer (Debian: apt install python3 python3-venv)."
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  tell_and_stop "Synapse needs Python 3.10 or newer; python3 is $(python3 -V). Install a newer one and put it first in PATH."
python3 -c 'import ensurepip, venv' 2>/dev/null ||
  tell_and_stop "This Python cannot make virtual environments. Install its venv module (Debian: apt install python3-venv)."

echo "Installing Synapse $wanted into .venv, which takes about a minute."
python3 -m venv --clear .venv
# Wheels rather than sources: building Synapse takes a Rust compiler.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary --requirement "$requirements" ||
  tell_and_stop "Synapse $wanted could not be installed; pip says why above. Mend that and run npm run test:setup again."
echo "Synapse $(installed) is installed."
