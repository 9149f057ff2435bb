"""`make-data`: makes the demo's data anew, cats and dogs or sentences."""

from __future__ import annotations

import argparse
from pathlib import Path

from starter.commands import PROJECT, exit_on_error

_COUNTS = {"cats_dogs": 1600, "sentences": 8000}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make-data", description=__doc__.split(": ")[1])
    parser.add_argument("what", choices=sorted(_COUNTS))
    parser.add_argument("--count", type=int, help="how many; as `train` wants them, if not given")
    parser.add_argument("--seed", type=int, default=0, help="another one makes others")
    parser.add_argument("--dir", type=Path, help="where to; data/WHAT, if not given")
    given = parser.parse_args()
    folder = given.dir or PROJECT / "data" / given.what
    count = given.count or _COUNTS[given.what]
    with exit_on_error():
        if given.what == "cats_dogs":
            from starter.data.pictures import make_pictures as make  # noqa: PLC0415  slow
        else:
            from starter.data.sentences import make_sentences as make  # noqa: PLC0415  slow
        make(folder, count=count, again=True, seed=given.seed)
        print(f"{count} samples in {folder}")


if __name__ == "__main__":
    main()
