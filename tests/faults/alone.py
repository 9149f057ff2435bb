"""One migration in this process: `-m tests.faults.alone ROOT SOURCE TARGET` tells its end."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.faults.migrating import Ending, Wish, migrate_here


def main() -> None:
    """Migrate, and print the ending as JSON."""
    root, source, target = sys.argv[1:]
    ending = migrate_here(Wish(Path(root), source, target))
    if not isinstance(ending, Ending):
        sys.exit(ending)
    sys.stdout.write(json.dumps(asdict(ending)))


if __name__ == "__main__":
    main()
