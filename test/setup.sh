#!/usr/bin/env bash
# Installs what some suites need beside npm's packages. At present every suite brings its own stand-ins.
set -euo pipefail
echo "Nothing to set up: all suites run on what npm installs."
