# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator looks at in a take: which marker is what at each frame, where the problems are. Numpy alone, as Blender has it."""
