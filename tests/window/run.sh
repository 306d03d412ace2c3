#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/window/run.sh [TAKE.c3d]: of the take given, by default cmu_02_05, or a synthetic one where there is no data.
# A person at the window: clicks Solve Markers in a real Blender on a virtual screen. Screenshots and the verdict are in
# out/window/. Needs `blender-desktop`, whose Python has torch. BONESETTER_WINDOW_SCRIPT=screenshots.py or tour.py makes the manual's pictures
# instead, another of this folder plays that scenario. BONESETTER_WINDOW_ZIP has a built extension tried in place of the checkout,
# BONESETTER_WINDOW_SIZE='640 480' a window of that size.
set -euo pipefail
take=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
out=${BONESETTER_WINDOW_OUT:-out/window}
# what lies elsewhere in the checkout is committed by chance, and then belongs to the extension
case $out in out/*) out=$PWD/$out ;; /*) ;; *) echo "BONESETTER_WINDOW_OUT has to lie in out/, or be a whole path" >&2; exit 2 ;; esac
rm -rf "$out"
mkdir -p "$out"

# The desktop is a system of its own, which surely sees of this one no more than what lies in /tmp itself: a checkout below
# another mount is not there. So all that it needs goes there, and what it made comes back.
stage=$(mktemp -d /tmp/bonesetter-window.XXXXXX)
trap 'cp -r "$stage"/out/. "$out"; rm -rf "$stage"' EXIT
mkdir -p "$stage/out" "$stage/repository/bonesetter"
if [ -n "${BONESETTER_WINDOW_ZIP:-}" ]; then
  # the built extension, and the scenarios, which it has not
  "$(tools/environment engine)" -m zipfile -e "$BONESETTER_WINDOW_ZIP" "$stage/repository/bonesetter"
  cp -r tests "$stage/repository/bonesetter/"
else
  tar --create --exclude-vcs --exclude=./.venv --exclude=./out --exclude=./runs --exclude=./build . |
    tar --extract --directory "$stage/repository/bonesetter"
fi

# Blender's own Python runs the engine here: that of the shell's environment is another system's.
unset BONESETTER_ENGINE_PYTHON
take=${take:-$(find "${BONESETTER_DATA:-../shared/data}/takes/cmu_02_05" -name '*.c3d' 2>/dev/null | head -1 || true)}
if [ -n "$take" ]; then
  cp "$take" "$stage/take.c3d"
else
  engine=$(tools/environment engine)
  "$engine" -m model synthesise "$stage/take.c3d"
fi

hide=true
if [ -n "${BONESETTER_WINDOW_WHEELS:-}" ]; then
  # a Blender without a solver, and wheels for the one that is installed
  cp -r "$BONESETTER_WINDOW_WHEELS" "$stage/wheels"
  "$BONESETTER_BASE_PYTHON" -m installer "$stage/all-wheels" --python 3.11 --wheels "$stage/wheels" >"$stage/out/wheels.log"
  mkdir "$stage/nothing"
  # the desktop's own system has no certificates
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$stage/certificates.pem"
  export SSL_CERT_FILE=$stage/certificates.pem
  hide="mount --bind $stage/nothing ${BLENDER_DESKTOP_ROOT:-/opt/blender-desktop}/usr/lib/python3/dist-packages/torch"
fi

status=0
cd "$stage"
export BONESETTER_WINDOW_TEST=$stage BLENDER_USER_RESOURCES=$stage/user
timeout 900 unshare --mount sh -c "$hide"' && exec blender-desktop "$@"' sh --factory-startup \
  ${BONESETTER_WINDOW_SIZE:+--window-geometry 0 0 $BONESETTER_WINDOW_SIZE} --enable-event-simulate --python-exit-code 1 \
  --python "repository/bonesetter/tests/window/${BONESETTER_WINDOW_SCRIPT:-driver.py}" >out/blender.log 2>&1 || status=$?
if [ ! -s out/verdict.txt ]; then
  tail -n 40 out/blender.log
  echo "the window test did not come to its end (exit code $status)"
  echo "0 passed, 1 failed"
  exit 1
fi
cat out/verdict.txt
tail -n 1 out/verdict.txt | grep -q ' 0 failed$' && [ "$status" = 0 ]
