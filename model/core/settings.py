# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can set for a solve, each described once.

The shell's options, Blender's properties, the panel's rows, the engine's requests and docs/settings.md are made of the fields of
`Settings`: a new setting is a new field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from .errors import BonesetterError

#: Where a setting belongs: with what becomes of the markers, with what becomes of the motion, or with how the solver runs. The panel shows
#: the first two, in two blocks; the shell and the manual show all.
Group = Literal["markers", "motion", "run"]
Value = float | int | bool | str

#: The largest seed that torch and numpy both take.
LARGEST_SEED = 2**32 - 1


class Setting(NamedTuple):
    """All that is known of a setting; its kind (number, whole number, switch or text) is that of its default.

    Attributes:
        default: What it is unless told otherwise.
        label: Its name in the panel and the manual.
        help: What it does to the motion, for an animator, without a full stop at its end.
        group: Where it belongs.
        unit: Of a number, for people.
        low: The smallest number.
        high: The largest number.
        slider_high: Where the panel's slider ends; larger numbers can be typed.
        step: How far a click on the panel's arrows moves a number; None for Blender's own step.
        decimals: How many the panel shows.
        choices: (text, label, help) of each text that it can be; empty for any.
        placeholder: What the shell's help shows for its value; empty for the unit in capitals.
    """

    default: Value
    label: str
    help: str
    group: Group
    unit: str = ""
    low: float = 0
    high: float = math.inf
    slider_high: float | None = None
    step: float | None = None
    decimals: int = 2
    choices: tuple[tuple[str, str, str], ...] = ()
    placeholder: str = ""

    @property
    def kind(self) -> type[Value]:
        """One of bool, int, float and str."""
        return type(self.default)

    @property
    def shown(self) -> bool:
        """Whether the panel shows it."""
        return self.group != "run"

    @property
    def bounded(self) -> bool:
        """Whether a number lies between two ends."""
        return self.kind in (int, float) and math.isfinite(self.high)

    def problem(self, value: Any) -> str:
        """What is wrong with a value, as the end of a sentence that begins with the setting's name; empty for nothing."""
        if self.kind is bool:
            return "" if isinstance(value, bool) else f"must be true or false, not {value!r}."
        if self.kind is str:
            allowed = [choice for choice, _, _ in self.choices]
            if isinstance(value, str) and (not allowed or value in allowed):
                return ""
            return f"must be {'one of ' + ', '.join(allowed) if allowed else 'a text'}, not {value!r}."
        right = isinstance(value, int if self.kind is int else int | float) and not isinstance(value, bool)
        # NaN is in no range
        if right and self.low <= value <= self.high:
            return ""
        number = "a whole number" if self.kind is int else "a number"
        limits = f"from {self.low:.10g} to {self.high:.10g}" if self.bounded else f"of at least {self.low:.10g}"
        return f"must be {number} {limits}, not {value}."

    def said(self, value: Value) -> str:
        """The setting and its value within a sentence, such as "max speed of 5 m/s"."""
        shown = f"{value:g}" if self.kind in (int, float) else str(value)
        return f"{self.label.lower()} of {shown} {self.unit}".rstrip()


def _described(setting: Setting) -> Any:
    """A field of `Settings`."""
    return field(default=setting.default, metadata={"setting": setting})


@dataclass(frozen=True)
class Settings:
    """Thresholds of the noise filter, what becomes of the motion, and how to run; every field is described where it stands.

    Raises:
        BonesetterError: A value is of the wrong kind or out of its range.
    """

    # no sample of our clean takes leaves its path at more than 3 m/s
    max_speed: float = _described(
        Setting(
            5.0,
            "Max Speed",
            "A sample that leaps off its marker's own path faster than this is taken for noise; the motion itself may be faster. "
            "Lower, it takes more twitches out of limbs; below about 3 m/s the quickest moves lose good samples, too",
            "markers",
            unit="m/s",
            slider_high=50.0,
            step=1.0,
            decimals=1,
        )
    )
    # soft tissue reaches about 38 mm on our clean takes
    rigid_tolerance: float = _described(
        Setting(
            40.0,
            "Rigid Tolerance",
            "Markers of one rigid part of the body, such as the head, keep their distances. A sample that leaves them by more than this is "
            "taken for noise. Lower, a slipping marker bends the pose less; below 40 mm skin that moves is taken for noise, too",
            "markers",
            unit="mm",
            slider_high=200.0,
            step=1.0,
            decimals=1,
        )
    )
    max_residual: float = _described(
        Setting(
            10.0,
            "Max Residual",
            "A sample on which the cameras disagreed by more than this, as the file tells, is taken for noise. Lower, only what was seen "
            "sharply moves the body, and more gaps are left to bridge. Where it would remove much of a good file it is raised, and said",
            "markers",
            unit="mm",
            slider_high=50.0,
            step=1.0,
            decimals=1,
        )
    )
    max_gap: float = _described(
        Setting(
            0.5,
            "Max Gap",
            "Gaps up to this long are filled from the markers around them and from the marker's own path. In longer ones the solver "
            "lets the limb glide from where it was last seen to where it is seen again",
            "markers",
            unit="s",
            slider_high=5.0,
            step=0.1,
        )
    )
    smooth: float = _described(
        Setting(
            0.3,
            "Smooth",
            "How much of the markers' jitter is taken out of the solved motion: 0 keeps every wiggle of the markers, 1 smooths most",
            "motion",
            high=1.0,
            placeholder="0-1",
        )
    )
    lock_feet: bool = _described(
        Setting(
            False,
            "Lock Feet",
            "Hold heels and balls of feet at one place while they stand. Without it they stand as still as their markers do",
            "motion",
        )
    )
    lock_strength: float = _described(
        Setting(
            1.0,
            "Lock Strength",
            "How far Lock Feet goes: 1 holds a standing foot at one place, 0 lets it stand as still as its markers do, and what is between "
            "them goes part of the way",
            "motion",
            high=1.0,
            placeholder="0-1",
        )
    )
    set_floor: bool = _described(
        Setting(
            False,
            "Set Floor",
            "Have the floor at the height that is given, instead of where the feet are found to stand: heels and balls stand near it only, "
            "and are lifted as much as it is higher",
            "motion",
        )
    )
    floor: float = _described(
        Setting(
            0.0,
            "Floor",
            "The height of the floor where Set Floor is on, measured as a solve tells where it finds it: of the lowest ends of the bones "
            "of feet that stand",
            "motion",
            unit="mm",
            low=-10_000.0,
            high=10_000.0,
            step=1.0,
            decimals=1,
        )
    )
    fit_actor: bool = _described(
        Setting(
            False,
            "Fit to Take",
            "Fit the bones and marker places of the actor that is given to the take, too: for an actor of another person, or whose markers "
            "were put on anew. Without it they stay as the actor has them; where no actor is given one is fitted anyway",
            "motion",
        )
    )
    keep_guessed: bool = _described(
        Setting(
            False,
            "Key Guessed Poses",
            "Key the pose also of frames and of parts of the body that no marker tells of, as the solver guesses it. Without it they get "
            "no keys",
            "motion",
        )
    )
    device: str = _described(
        Setting("auto", "Device", "What computes: a device of PyTorch, such as cpu or cuda; auto takes a GPU where there is one", "run")
    )
    workers: int = _described(
        Setting(
            0,
            "Workers",
            "Takes that are solved side by side, in processes of their own, or of a single take threads; 0 for one a core, and for one "
            "thread on a GPU; with 1 nothing else is started. The motion is the same for any number",
            "run",
            placeholder="N",
        )
    )
    seed: int = _described(
        Setting(0, "Seed", "Of every random choice: the same take, settings and seed give the same motion", "run", high=LARGEST_SEED)
    )
    up: str = _described(
        Setting(
            "auto",
            "Up Axis",
            "The axis of the file that points up; auto goes by the markers of a person who stands or walks, and by what the file says "
            "where they do not tell. In Blender it is an option of the import",
            "run",
            choices=(
                ("auto", "Automatic", "By the markers, else as the file says"),
                ("x", "X", "X points up"),
                ("y", "Y", "Y points up"),
                ("z", "Z", "Z points up"),
                ("-x", "-X", "X points down"),
                ("-y", "-Y", "Y points down"),
                ("-z", "-Z", "Z points down"),
            ),
            placeholder="AXIS",
        )
    )

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            if problem := setting.problem(getattr(self, name)):
                raise BonesetterError(f"{name} {problem}")


#: {field of Settings: its description}, in the panel's order.
SETTINGS: dict[str, Setting] = {one.name: one.metadata["setting"] for one in fields(Settings)}
