"""What a person can ask for, by family: no loops, no logic. A new task also goes into tasks.py.

A task reads the settings, calls the package `scripts` and shows what came of it.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
YES = "answer every question with yes; what is installed, built or started is said"
JSON = "print one JSON object on standard output, for programs"
