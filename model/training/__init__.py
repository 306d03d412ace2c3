# SPDX-License-Identifier: GPL-3.0-or-later
"""What is learned from skeleton motion: the prior, and networks that turn markers into joints, on markers made out of motion."""
