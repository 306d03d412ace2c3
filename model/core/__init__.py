# SPDX-License-Identifier: GPL-3.0-or-later
"""What every room speaks of: takes, skeletons and motion, rotations, settings, findings, and the measures of a motion."""
