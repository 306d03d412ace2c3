# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that proposes: poses with their uncertainty, the reliability of every sample, and the actor's sizes, from any marker set."""
