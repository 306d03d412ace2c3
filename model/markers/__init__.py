# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers and their labels: marker sets, whose label is whose, sides, cleaning, and what was put right."""
