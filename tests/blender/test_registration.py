# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as Blender loads it."""

import subprocess
import sys
from pathlib import Path

import bpy

#: What the engine's package may give to dialogues, panels and properties; all else is imported by an operator that runs.
AT_START = (
    {"core", "files", "review", "rigs", "storage"}
    | {f"core.{name}" for name in ("axes", "errors", "findings", "memory", "settings")}
    | {"files.formats", "files.readers", "review.strip_size", "rigs.choices", "storage.locking", "storage.session_folder"}
)


def test_registration_imports_nothing_heavy():
    code = f"""
import sys
import bpy, addon_utils
sys.path.insert(0, {str(Path(__file__).parent)!r})
import conftest
conftest.pytest_sessionstart()
heavy = sorted(name for name in ("torch", "scipy", "ezc3d", "tqdm", "roma", "safetensors", "matplotlib") if name in sys.modules)
computing = sorted(name for _, found, name in (each.partition(".model.") for each in sys.modules) if found and name not in {AT_START!r})
registered = hasattr(bpy.types, "BONESETTER_OT_solve_markers")
conftest.pytest_sessionfinish()
print("heavy", heavy, computing, registered, hasattr(bpy.types, "BONESETTER_OT_solve_markers"), hasattr(bpy.types.Scene, "bonesetter"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "heavy [] [] True False False" in done.stdout, done.stdout + done.stderr


def test_everything_is_where_users_look():
    assert bpy.types.BONESETTER_FH_c3d.bl_import_operator == "bonesetter.import_c3d"
    assert bpy.types.BONESETTER_PT_main.bl_category == "Bonesetter"
    assert "REGISTER" not in bpy.types.BONESETTER_OT_solve_markers.bl_options
    assert bpy.ops.bonesetter.import_c3d.get_rna_type().name == "Import Markers"


def test_import_menu_is_extended_once(ext):
    draw = bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()
    assert draw.count(ext("operators.import_c3d").draw_menu) == 1


def test_panel_defaults_are_the_engines(ext, scene):
    settings = ext("model.core.settings").Settings
    assert ext("operators.properties").settings_of(scene) == settings()
    scene.bonesetter.max_speed = 3.3
    assert ext("operators.properties").settings_of(scene) == settings(max_speed=3.3)


def test_properties_are_as_the_settings_are_described(ext):
    shown = bpy.context.scene.bonesetter.bl_rna.properties
    described = ext("model.core.settings").SETTINGS
    assert {name for name in described if name in shown} == {name for name, setting in described.items() if setting.shown}
    speed, smooth, feet = (shown[name] for name in ("max_speed", "smooth", "lock_feet"))
    assert (speed.type, speed.name, speed.soft_max, speed.step, speed.precision) == ("FLOAT", "Max Speed (m/s)", 50, 100, 1)
    assert (smooth.hard_min, smooth.hard_max, smooth.subtype, smooth.name) == (0, 1, "FACTOR", "Smooth")
    assert (feet.type, feet.default, feet.description) == ("BOOLEAN", False, described["lock_feet"].help)


def test_the_preferences_are_the_extensions_own(ext, package):
    preferences = ext("operators.preferences")
    own = bpy.context.preferences.addons[preferences.ADDON].preferences
    assert ext("ui.preferences").BONESETTER_AP_preferences.bl_idname == preferences.ADDON == package
    assert (preferences.chosen_python(), preferences.starts_engine()) == ("", True)
    own.python_path, own.start_on_import = "/some/python", False
    try:
        assert (preferences.chosen_python(), preferences.starts_engine()) == ("/some/python", False)
    finally:
        own.python_path, own.start_on_import = "", True


def test_a_setting_of_any_kind_becomes_a_property(ext):
    setting, make = ext("model.core.settings").Setting, ext("operators.properties").property_of
    choices = (("near", "Near", "The nearest"), ("far", "Far", "The farthest"))
    kinds = {
        "count": setting(3, "Count", "How many", "markers", low=1, high=2**32),
        "word": setting("one", "Word", "A word", "markers"),
        "way": setting("far", "Way", "Which way", "motion", choices=choices),
    }
    annotations = {name: make(one) for name, one in kinds.items()}
    group = type("BONESETTER_PG_tried", (bpy.types.PropertyGroup,), {"__annotations__": annotations})
    bpy.utils.register_class(group)
    try:
        made = group.bl_rna.properties
        assert (made["count"].default, made["count"].hard_min, made["count"].hard_max) == (3, 1, 2**31 - 1)
        assert (made["word"].type, made["word"].default) == ("STRING", "one")
        assert (made["way"].default, [item.identifier for item in made["way"].enum_items]) == ("far", ["near", "far"])
    finally:
        bpy.utils.unregister_class(group)
