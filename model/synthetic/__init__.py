# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people: their bodies, their markers in recorded or invented motion, and what goes wrong with markers."""
