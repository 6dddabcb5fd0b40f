#!/usr/bin/env bash
# Installs what npm does not, quick where it is there: Synapse, the homeserver that test/synapse/ starts, into .venv, and
# Chromium, which test/browser/ walks with, as Debian's package.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=test/synapse/requirements.txt
wanted=$(sed -n 's/^matrix-synapse==//p' "$requirements")

tell_and_stop() {
  echo "$1" >&2
  exit 1
}

installed_synapse() {
  .venv/bin/python -c 'from importlib.metadata import version; print(version("matrix-synapse"))' 2>/dev/null
}

install_synapse() {
  if [ "$(installed_synapse)" = "$wanted" ]; then
    echo "Synapse $wanted is installed in .venv already."
    return
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
  echo "Synapse $(installed_synapse) is installed."
}

# The names that test/browser/chromium.ts looks for, too.
find_chromium() {
  command -v chromium || command -v chromium-browser || command -v google-chrome
}

install_chromium() {
  if find_chromium >/dev/null; then
    echo "Chromium is installed already: $(find_chromium)."
    return
  fi

  command -v apt-get >/dev/null ||
    tell_and_stop "There is no Chromium here, and no apt-get to install it with. Install Chromium or Google Chrome so that it is found in PATH."
  [ "$(id -u)" = 0 ] ||
    tell_and_stop "There is no Chromium here, and only root can install it (sudo apt-get install chromium)."

  echo "Installing Chromium, which takes about a minute."
  { apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium; } >/dev/null ||
    tell_and_stop "Chromium could not be installed; apt-get says why above. Mend that and run npm run test:setup again."
  echo "Chromium is installed: $(find_chromium)."
}

install_synapse
install_chromium
