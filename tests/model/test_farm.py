# SPDX-License-Identifier: GPL-3.0-or-later
"""Shoots as jobs of farm managers: the same commands on each, and results that are those of the local run to the bit.

Open Job Description is run by `openjd`, and OpenCue's outline loaded by its own library, where the Python that BONESETTER_FARM_PYTHON
names, or this one, has them (extra `farm`); Flamenco's job type is run by node where that is installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.actors.actor_file import write_actor
from model.files.c3d_writer import write_c3d
from model.shell.cli import main
from model.shell.failures import ENDING
from model.shell.farm.opencue import FRAME
from model.shell.farm.shoot import Places, Shoot, commands, places_of
from model.synthetic.synthesis import synthesise

from .soft_person import person

ROOT = Path(__file__).resolve().parents[2]
STUB = Path(__file__).with_name("flamenco_stub.js")
PYTHON = os.environ.get("BONESETTER_FARM_PYTHON", sys.executable)
NODE = shutil.which("node")
#: The engine as a farm calls it, which kills itself and its engine once, in the middle of the second part.
KILLED_ONCE = """
import os, pathlib, signal, subprocess, sys, time
here, out = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
if "2/2" not in sys.argv or (here / "killed").exists():
    sys.exit(subprocess.call([sys.executable, "-m", "model", *sys.argv[1:]], cwd=ROOT))
(here / "killed").touch()
engine = subprocess.Popen([sys.executable, "-m", "model", *sys.argv[1:]], cwd=ROOT)
while not (out / "c.npz").exists() and engine.poll() is None:
    time.sleep(0.01)
engine.kill()
engine.wait()
os.kill(os.getpid(), signal.SIGKILL)
"""


def has(module: str) -> bool:
    return subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def shoot_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes in folders whose names are hard to quote: range of motion, a to d, and a broken one."""
    folder = tmp_path_factory.mktemp("shoot") / "takes 걷기 'ü'"
    (folder / "day 2").mkdir(parents=True)
    for seed, name in enumerate(("rom", "a", "b", "day 2/c", "day 2/d")):
        write_c3d(synthesise(2.0 if name.endswith("d") else 0.5, seed=seed).take, folder / f"{name}.c3d")
    (folder / "broken.c3d").write_text("no")
    return folder


def takes_in(folder: Path) -> list[str]:
    return [str(folder / f"{name}.c3d") for name in ("a", "b", "broken", "day 2/c", "day 2/d", "rom")]


def farm(folder: Path, out: Path, template: Path, *more: str) -> int:
    chosen = ["--rom", str(folder / "rom.c3d"), "--out", str(out), "--template", str(template), "--chunk", "3"]
    return main(["farm", *takes_in(folder), *chosen, "--name", "day one", "--max-speed", "7", "--up=-z", *more])


def wanted(folder: Path, out: Path, template: Path, engine: list[str], workers: int = 0) -> Shoot:
    """The shoot that `farm` describes."""
    options = ["--format", "bvh", "npz", "html", "--skeleton=cmu", "--rest-pose=t", "--bone-names=blender", "--max-speed=7.0"]
    options += [f"--workers={workers}"] if workers else []
    return Shoot(
        name="day one",
        folder=folder,
        takes=("a.c3d", "b.c3d", "broken.c3d", "day 2/c.c3d", "day 2/d.c3d"),
        range_of_motion="rom.c3d",
        list=template.with_suffix(".takes.txt"),
        parts=2,
        out=out,
        actor=None,
        layout=None,
        options=(*options, "--up=-z"),
        engine=tuple(engine),
        cores=workers,
    )


ENGINE = ["/opt/bone setter/bin/python", "-m", "bonesetter"]
CALLED = "'/opt/bone setter/bin/python' -m bonesetter"


def test_open_job_description_says_the_commands(shoot_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = tmp_path / "jöb.yaml"
    assert farm(shoot_folder, tmp_path / "out", template, "--engine", CALLED) == 0
    assert capsys.readouterr().out.startswith(f"{template}: 5 takes in 2 parts, 4 tasks. To run it:\nopenjd run ")
    document = json.loads(template.read_text(encoding="utf-8"))
    assert document["specificationVersion"] == "jobtemplate-2023-09"
    values = json.loads(template.with_suffix(".parameters.json").read_text(encoding="utf-8"))
    assert values == {"TakeFolder": str(shoot_folder), "OutFolder": str(tmp_path / "out")}
    defined = {each["name"]: each for each in document["parameterDefinitions"]}
    assert {name for name, each in defined.items() if "default" not in each} == set(values)
    assert not Path(defined["TakeList"]["default"]).is_absolute(), "which the specification forbids"
    parts = {"name": "Part", "type": "INT", "range": "1-2"}
    assert [step.get("parameterSpace") for step in document["steps"]] == [None, {"taskParameterDefinitions": [parts]}, None]
    assert [step.get("dependencies") for step in document["steps"]] == [None, [{"dependsOn": "actor"}], [{"dependsOn": "takes"}]]
    # what a farm makes of the references is what is called elsewhere
    shoot = wanted(shoot_folder, tmp_path / "out", template, ENGINE)
    known = values | {"TakeList": str(template.parent / defined["TakeList"]["default"]), "Engine": defined["Engine"]["default"]}
    known = {f"Param.{name}": value for name, value in known.items()} | {"Task.Param.Part": "2"}
    made = {
        step["name"]: [re.sub(r"\{\{(.+?)\}\}", lambda found: known[found[1]], word) for word in (action["command"], *action["args"])]
        for step in document["steps"]
        for action in [step["script"]["actions"]["onRun"]]
    }
    assert made == {name: [*ENGINE, *called] for name, called in commands(shoot, places_of(shoot), "2").items()}
    assert shoot.list.read_text(encoding="utf-8").splitlines() == list(shoot.takes)


def test_given_actor_and_marker_set_are_files_that_a_farm_can_bring(shoot_folder: Path, tmp_path: Path) -> None:
    actor, layout = tmp_path / "anna.json", ROOT / "model" / "marker_sets" / "cmu41.json"
    write_actor(person(), actor)
    arguments = [str(shoot_folder / "a.c3d"), "--out", str(tmp_path / "out"), "--actor", str(actor), "--layout", str(layout)]
    assert main(["farm", *arguments, "--template", str(tmp_path / "bundle" / "template.yaml")]) == 0
    document = json.loads((tmp_path / "bundle" / "template.yaml").read_text())
    bundled = json.loads((tmp_path / "bundle" / "parameter_values.json").read_text())["parameterValues"]
    assert {"name": "Actor", "value": str(actor)} in bundled
    assert [step["name"] for step in document["steps"]] == ["takes", "report"]
    called = document["steps"][0]["script"]["actions"]["onRun"]["args"]
    assert called[called.index("--actor") + 1] == "{{Param.Actor}}"
    assert called[called.index("--layout") + 1] == "{{Param.MarkerSet}}"
    assert {"Actor", "MarkerSet"} <= {each["name"] for each in document["parameterDefinitions"]}


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_flamenco_compiles_the_same_commands(shoot_folder: Path, tmp_path: Path) -> None:
    assert NODE is not None
    template = tmp_path / "job.json"
    assert farm(shoot_folder, tmp_path / "out", template, "--engine", CALLED, "--for", "flamenco") == 0
    run = subprocess.run([NODE, STUB, tmp_path / "bonesetter.js", template], capture_output=True, check=True)
    compiled: dict[str, Any] = json.loads(run.stdout)
    job = json.loads(template.read_text(encoding="utf-8"))
    settings = {each["key"]: each for each in compiled["type"]["settings"]}
    assert job["type"] == "bonesetter", "the script's name without its ending"
    assert {each["type"] for each in settings.values()} <= {"string", "int32", "float", "bool"}
    assert {each.get("subtype", "file_path") for each in settings.values()} <= {"file_path", "dir_path", "file_name", "hashed_file_path"}
    kinds = {"string": str, "int32": int}
    assert {name: type(value) for name, value in job["settings"].items()} == {name: kinds[each["type"]] for name, each in settings.items()}
    shoot = wanted(shoot_folder, tmp_path / "out", template, ENGINE)
    steps = [commands(shoot, places_of(shoot), part) for part in ("1", "2")]
    called = {"actor": steps[0]["actor"], "takes-1": steps[0]["takes"], "takes-2": steps[1]["takes"], "report": steps[0]["report"]}
    tasks = {task["name"]: task for task in compiled["tasks"]}
    executed = {name: [{"name": "exec", "parameters": {"exe": ENGINE[0], "args": [*ENGINE[1:], *words]}}] for name, words in called.items()}
    assert {name: task["commands"] for name, task in tasks.items()} == executed
    waits = {"actor": [], "takes-1": ["actor"], "takes-2": ["actor"], "report": ["takes-1", "takes-2"]}
    assert {name: task["dependencies"] for name, task in tasks.items()} == waits
    assert {task["type"] for task in tasks.values()} == {"misc"}, "which every worker takes, unless told otherwise"


def layers_of(outline: str) -> dict[str, dict[str, Any]]:
    """What an outline makes, with a stub of the one class that it uses."""
    made: dict[str, dict[str, Any]] = {}
    shell = types.ModuleType("outline.modules.shell")
    shell.__dict__["Shell"] = lambda name, **arguments: made.setdefault(name, arguments)
    modules = {"outline": types.ModuleType("outline"), "outline.modules": types.ModuleType("outline.modules"), shell.__name__: shell}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        exec(compile(outline, "job.outline", "exec"), {})
    return made


def test_opencue_gets_the_same_commands(shoot_folder: Path, tmp_path: Path) -> None:
    template = tmp_path / "job.outline"
    assert farm(shoot_folder, tmp_path / "out", template, "--engine", CALLED, "--for", "opencue") == 0
    layers = layers_of(template.read_text(encoding="utf-8"))
    shoot = wanted(shoot_folder, tmp_path / "out", template, ENGINE, workers=1)
    assert {name: layer["command"] for name, layer in layers.items()} == {
        name: [*ENGINE, *words] for name, words in commands(shoot, places_of(shoot), FRAME).items()
    }
    assert {name: layer["range"] for name, layer in layers.items()} == {"actor": "1-1", "takes": "1-2", "report": "1-1"}
    assert {name: layer.get("require") for name, layer in layers.items()} == {
        "actor": None,
        "takes": ["actor:all"],
        "report": ["takes:all"],
    }


@pytest.mark.skipif(not has("outline.modules.shell"), reason="OpenCue's pyoutline is not installed")
def test_opencue_itself_loads_the_outline(shoot_folder: Path, tmp_path: Path) -> None:
    template = tmp_path / "job.outline"
    assert farm(shoot_folder, tmp_path / "out", template, "--engine", CALLED, "--for", "opencue", "--workers", "2") == 0
    program = (
        "import json, sys, outline; from outline.io import prep_shell_command as prepared\n"
        "job = outline.load_outline(sys.argv[1]); job.setup_depends()\n"
        "print(json.dumps([[layer.get_name(), layer.get_frame_range(), prepared(layer.get_arg('command'), 2),"
        " [(each.get_depend_on_layer().get_name(), str(each.get_type())) for each in layer.get_depends()], layer.get_arg('cores')]"
        " for layer in job.get_layers()]))"
    )
    run = subprocess.run([PYTHON, "-c", program, template], capture_output=True, text=True, check=True)
    shoot = wanted(shoot_folder, tmp_path / "out", template, ENGINE, workers=2)
    called = {name: [*ENGINE, *words] for name, words in commands(shoot, places_of(shoot), "2").items()}
    assert json.loads(run.stdout) == [
        ["actor", "1-1", called["actor"], [], 2],
        ["takes", "1-2", called["takes"], [["actor", "LAYER_ON_LAYER"]], 2],
        ["report", "1-1", called["report"], [["takes", "LAYER_ON_LAYER"]], 2],
    ]


@pytest.mark.skipif(not has("openjd.cli"), reason="openjd-cli is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_openjd_runs_it_on_two_workers_of_which_one_is_killed(shoot_folder: Path, tmp_path: Path) -> None:
    engine = tmp_path / "killed once.py"
    engine.write_text(f"ROOT = {str(ROOT)!r}\n{KILLED_ONCE}")
    out, template = tmp_path / "oüt", tmp_path / "jöb.yaml"
    chosen = ["--rom", str(shoot_folder / "rom.c3d"), "--chunk", "3", "--workers", "1", "--engine", f"'{sys.executable}' '{engine}'"]
    assert main(["farm", *takes_in(shoot_folder), "--out", str(out), "--template", str(template), *chosen]) == 0
    run = [
        PYTHON,
        "-m",
        "openjd",
        "run",
        str(template),
        "-p",
        f"file://{template.with_suffix('.parameters.json')}",
        "--no-run-dependencies",
    ]
    subprocess.run([PYTHON, "-m", "openjd", "check", str(template)], check=True, capture_output=True)
    subprocess.run([*run, "--step", "actor"], check=True, capture_output=True)

    def start(part: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*run, "--step", "takes", "--task-param", f"Part={part}"], stdout=subprocess.DEVNULL)

    assert [worker.wait() == 0 for worker in [start(1), start(2)]] == [True, False]
    assert (out / "c.json").exists()
    assert not (out / "d.json").exists(), "it was killed before"
    before = (out / "c.npz").stat().st_mtime_ns
    assert start(2).wait() == 0
    assert (out / "c.npz").stat().st_mtime_ns == before, "what was solved is not solved again"
    assert subprocess.run([*run, "--step", "report"], capture_output=True, check=False).returncode != 0, "a take failed"
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "5 takes:" in index
    assert "1 failed" in index
    assert results(out) == results(locally(shoot_folder, tmp_path / "local"))


def locally(folder: Path, out: Path) -> Path:
    """The same without a farm."""
    actor = str(out / "rom.actor.json")
    rest = ["--out", str(out), "--format", "bvh", "npz", "html"]
    assert main(["solve", str(folder / "rom.c3d"), "--save-actor", actor, *rest]) == 0
    takes = [take for take in takes_in(folder) if "rom" not in Path(take).name]
    assert main(["solve", *takes, "--actor", actor, "--note-failed", "--workers", "2", *rest]) == 0
    return out


def results(out: Path) -> dict[str, object]:
    """Everything that was written, but for the index and for seconds."""
    found = {path.name: path for path in out.iterdir() if path.name != "index.html"}
    assert {"d.bvh", "d.npz", "d.json", "rom.npz", "rom.actor.json", f"broken{ENDING}"} <= set(found)
    return {
        name: path.read_bytes() if path.suffix != ".json" else json.loads(path.read_text(encoding="utf-8")) | {"seconds": None}
        for name, path in found.items()
    }


def test_shoot_without_range_of_motion_fits_each_take_its_own_actor(tmp_path: Path) -> None:
    shoot = replace(wanted(tmp_path, tmp_path, tmp_path / "job", ENGINE), range_of_motion=None)
    steps = commands(shoot, Places("F", "L", "O", "", ""), "1")
    assert list(steps) == ["takes", "report"]
    assert "--actor" not in steps["takes"]
    assert list(commands(replace(shoot, takes=(), range_of_motion="rom.c3d"), places_of(shoot), "1")) == ["actor", "report"]


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--chunk", "0"], 2, "--chunk must be at least 1."),
        (["--engine", " "], 2, "--engine names no program: name one, or leave the option out."),
        (["--name", "{{Param.Engine}}"], 2, "{{Param.Engine}} has {{ in it, which a template takes for a reference: rename it."),
        (["--for", "opencue", "--engine", "%{FRAME}x"], 2, "%{FRAME}x has %{ in it, which an outline replaces: rename it."),
        (["--layout", "none.json"], 1, "none.json"),
        (["--max-speed", "-1"], 2, "--max-speed must be"),
        (["--rom", "missing.c3d"], 1, "missing.c3d: name takes that are there."),
    ],
)
def test_what_no_farm_could_run_is_refused_at_once(
    shoot_folder: Path, tmp_path: Path, more: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert farm(shoot_folder, tmp_path / "out", tmp_path / "job.json", *more) == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_nothing_is_overwritten_unasked(shoot_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert farm(shoot_folder, tmp_path / "out", tmp_path / "job.json") == 0
    assert farm(shoot_folder, tmp_path / "out", tmp_path / "job.json") == 1
    assert capsys.readouterr().err == f"{tmp_path / 'job.takes.txt'} exists already: use --force to overwrite it.\n"
    assert farm(shoot_folder, tmp_path / "out", tmp_path / "job.json", "--force") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_folder_whose_name_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    (folder / "a.c3d").touch()
    assert main(["farm", str(folder / "a.c3d"), "--out", str(tmp_path / "out"), "--template", str(tmp_path / "job.json")]) == 1
    assert "bytes in it that are no text" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}
