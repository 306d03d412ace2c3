# SPDX-License-Identifier: GPL-3.0-or-later
"""The study of published networks that turn markers into joints. Nothing but the benchmark imports it."""
