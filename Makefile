# SPDX-License-Identifier: GPL-3.0-or-later
# Every target makes the environments it needs in .venv/ by itself.
.PHONY: demo test solve lint window-test clean

OUT ?= out

demo:
	@tools/demo

test:
	@tools/test

# make solve C3D="a.c3d b.c3d" [OUT=dir] [ARGS="--force"]
solve:
	@test -n "$(C3D)" || { echo 'usage: make solve C3D="a.c3d b.c3d" [OUT=dir] [ARGS=...]' >&2; exit 2; }
	@python=$$(tools/environment engine) && "$$python" -m model solve $(C3D) --out "$(OUT)" $(ARGS)

lint:
	@python=$$(tools/environment engine) && "$$python" -m ruff check . && "$$python" -m ruff format --check . && "$$python" -m pyright

window-test:
	@BONESETTER_ENGINE_PYTHON=$$(tools/environment engine) bash tests/window/run.sh

clean:
	rm -rf .venv out build
