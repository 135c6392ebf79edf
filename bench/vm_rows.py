# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows that need a VM: all of them in one (bench/vm/machine.py), so that a boot serves them all."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "vm"))
import transport  # noqa: E402,F401
import desktop_rows  # noqa: E402,F401
import va_rows  # noqa: E402,F401
