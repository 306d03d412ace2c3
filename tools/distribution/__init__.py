# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of: the light zip, the full zips with the engine's wheels, and the repository that Blender subscribes to."""
