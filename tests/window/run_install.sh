#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/window/run_install.sh: a newcomer at the window, who installs the solver. Screenshots and the verdict are in out/install/.
# Needs `blender-desktop`, root, a Python 3.11 in the home folder or /usr/local, and the package registry.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=$(tools/find_python 3.11)
export BONESETTER_BASE_PYTHON
BONESETTER_BASE_PYTHON=$("$base" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))')
# what lies on this machine or in pip's own index: the CPU build of torch
wheels=build/wheels/torch
mkdir -p "$wheels"
"$base" -m pip download --quiet --no-deps --dest "$wheels" torch==2.13.0
BONESETTER_WINDOW_SCRIPT=install.py BONESETTER_WINDOW_WHEELS=$wheels BONESETTER_WINDOW_OUT=out/install exec bash tests/window/run.sh
