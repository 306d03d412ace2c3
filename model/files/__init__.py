# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read and written: takes (C3D), motion (ASF/AMC, BVH), solutions (npz, BVH), and what goes between Blender and the engine."""
