# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers and their labels: whose label is whose, sides, cleaning, and what was put right."""
