# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet on the floor: when they stand, where they then belong, and the legs that bring them there."""
