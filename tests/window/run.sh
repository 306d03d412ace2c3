#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/window/run.sh [TAKE.c3d]: of the take given, by default cmu_02_05, or a synthetic one where there is no data.
# A person at the window: clicks Solve Markers in a real Blender on a virtual screen. Screenshots and the verdict are in
# out/window/. Needs `blender-desktop`, whose Python has torch.
set -euo pipefail
take=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
out=$PWD/out/window
rm -rf "$out"
mkdir -p "$out/repository"
ln -s "$PWD" "$out/repository/bonesetter"

# Blender's own Python runs the engine here: that of the shell's environment is another system's.
unset BONESETTER_ENGINE_PYTHON
take=${take:-$(find "${BONESETTER_DATA:-../shared/data}/takes/cmu_02_05" -name '*.c3d' 2>/dev/null | head -1 || true)}
if [ -n "$take" ]; then
  # The desktop sees the folder tree that this script stands in; the data may lie elsewhere.
  cp "$take" "$out/take.c3d"
else
  engine=$(tools/environment engine)
  "$engine" -m model synthesise "$out/take.c3d"
fi

status=0
BONESETTER_WINDOW_TEST=$out BLENDER_USER_RESOURCES=$out/user timeout 600 \
  blender-desktop --factory-startup --enable-event-simulate --python-exit-code 1 --python tests/window/driver.py \
  >"$out/blender.log" 2>&1 || status=$?
if [ ! -s "$out/verdict.txt" ]; then
  tail -n 40 "$out/blender.log"
  echo "the window test did not come to its end (exit code $status)"
  echo "0 passed, 1 failed"
  exit 1
fi
cat "$out/verdict.txt"
tail -n 1 "$out/verdict.txt" | grep -q ' 0 failed$' && [ "$status" = 0 ]
