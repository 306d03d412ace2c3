# SPDX-License-Identifier: GPL-3.0-or-later
# Every target makes the environments it needs in .venv/ by itself.
.PHONY: demo test fuzz soak solve study bench lint docs screenshots window-test judge-test scrub-test install-test wheel-test dist release clean

OUT ?= out

demo:
	@tools/demo

test:
	@tools/test

# Damaged files: docs/reliability.md.
fuzz:
	@python=$$(tools/environment engine) && "$$python" -m tests.fuzz.run $(ARGS)
	@python=$$(tools/environment bpy-5.2) && "$$python" tests/blender/fuzz.py

# Many takes, many solves in one Blender, an hour in one take: some hours; docs/reliability.md. make soak [ARGS="many --size 20"]
soak:
	@python=$$(tools/environment engine) && tools/environment bpy-5.2 >/dev/null && "$$python" -m tests.soak.run $(ARGS)

# make solve C3D="a.c3d b.trc" [OUT=dir] [ARGS="--force"]
solve:
	@test -n "$(C3D)" || { echo 'usage: make solve C3D="a.c3d b.trc" [OUT=dir] [ARGS=...]' >&2; exit 2; }
	@python=$$(tools/environment engine) && "$$python" -m model solve $(C3D) --out "$(OUT)" $(ARGS)

# Train every network of the study: some hours; what is done is kept, so that it can be stopped at any time.
study:
	@python=$$(tools/environment engine) && "$$python" -m model train model/study/runs/*.toml

# Compare our solver, what is trained and the peers: docs/benchmark.md, docs/study.md and docs/tables/.
bench:
	@python=$$(tools/environment engine) && tools/environment bench >/dev/null && tools/environment bench-momentum >/dev/null \
		&& "$$python" -m model bench $(ARGS)

lint:
	@python=$$(tools/environment engine) && "$$python" -m ruff check . && "$$python" -m ruff format --check . && "$$python" -m pyright \
		&& "$$python" tools/check_docs.py

# The documentation as a site in build/site; a link that leads nowhere fails it.
docs:
	@python=$$(tools/environment docs) && "$$python" -m zensical build --clean --strict && "$$python" tools/check_docs.py --site build/site

# The pictures of Blender in docs/images, made anew in a real window: look at each before it is committed.
screenshots:
	@engine=$$(tools/environment engine) && "$$engine" -m model synthesise out/walk.c3d
	@BONESETTER_WINDOW_SCRIPT=screenshots.py bash tests/window/run.sh out/walk.c3d
	@python=$$(tools/environment docs) && "$$python" tools/keep_pictures.py out/window docs/images
	@BONESETTER_WINDOW_SCRIPT=tour.py BONESETTER_WINDOW_OUT=out/tour bash tests/window/run.sh out/walk.c3d
	@python=$$(tools/environment docs) && "$$python" tools/keep_pictures.py out/tour docs/images

window-test:
	@BONESETTER_ENGINE_PYTHON=$$(tools/environment engine) bash tests/window/run.sh

# Judging and repairing a real take at the window, with clicks: of the data's mons_rolling.
judge-test:
	@BONESETTER_WINDOW_SCRIPT=judge.py BONESETTER_WINDOW_OUT=out/judge bash tests/window/run.sh \
		$${BONESETTER_DATA:-../shared/data}/takes/mons_rolling/*.c3d

# Whether playing and scrubbing keep the scene's rate, in a window that a software renderer can draw as fast.
scrub-test:
	@BONESETTER_WINDOW_SCRIPT=scrub.py BONESETTER_WINDOW_SIZE="640 480" BONESETTER_WINDOW_OUT=out/scrub bash tests/window/run.sh

# A newcomer's way, from the built zip to a solved take, with the package registry: in a window, and in every bpy wheel.
install-test:
	@tools/install_test

# The engine as a wheel, in an environment that has nothing else.
wheel-test:
	@tools/wheel_test

# The light zip, the full zips and the repositories that Blender subscribes to: docs/release.md. make dist [OUT=dir] [ARGS="--light"]
dist: folder = $(if $(filter file,$(origin OUT)),build/dist,$(OUT))
dist:
	@python=$$(tools/environment engine) && $(blender) && "$$python" -m tools.distribution --out "$(folder)" $(ARGS)

# make release [OUT=dir] [ARGS="--partial"]
release: folder = $(if $(filter file,$(origin OUT)),,--out "$(OUT)")
release:
	@python=$$(tools/environment engine) && $(blender) && "$$python" -m tools.distribution.release $(folder) $(ARGS)

# Blender's command that builds extensions: of $$BLENDER, else of a bpy wheel; a Blender on the path will do where there is no Python for one.
blender = { [ -n "$$BLENDER" ] || tools/environment bpy-5.2 >/dev/null || tools/environment bpy-4.5 >/dev/null || true; }

clean:
	rm -rf .venv out build
