"""The demo: one small project with history goes the whole way, from a directory to an object store.

Belongs here: what ``./inv demo`` builds, and the proof that a clean clone gets all of it back. It
only calls what a person would call; nothing is copied or checked here by a way of its own. It runs
where DVC is, in the container.
"""

from scripts.demo.model import DemoResult, DemoStore, Version
from scripts.demo.run import run_demo

__all__ = ["DemoResult", "DemoStore", "Version", "run_demo"]
