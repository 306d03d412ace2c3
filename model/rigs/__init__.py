# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's characters: which bone is which part of the body, and a motion carried from one rig to another."""
