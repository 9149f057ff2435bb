"""`sweep`: what came of a search, as a table and as a page with plots."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from starter.commands import PROJECT, exit_on_error

if TYPE_CHECKING:
    from starter.search.summary import Summary


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="sweep", description=__doc__.split(": ")[1])
    parser.add_argument(
        "folder", type=Path, nargs="?", help="of a search, or of `train -m`; without, the newest"
    )
    parser.add_argument("--to", type=Path, help="the page; FOLDER/sweep.html, if not given")
    parser.add_argument("--top", type=int, default=10, help="how many trials the table shows (10)")
    parser.add_argument("--json", action="store_true", help="all of it, for programs")
    given = parser.parse_args()
    with exit_on_error():
        # Optuna, and with it SciPy: not for --help.
        from starter.search import page, summary  # noqa: PLC0415

        folder = (given.folder or summary.newest_sweep(PROJECT / "runs")).resolve()
        seen = summary.read_summary(folder)
        place = (given.to or folder / "sweep.html").resolve()
        page.write_page(seen, place)
        if given.json:
            print(json.dumps({**seen.as_json(), "page": str(place)}, indent=2))
        else:
            show(seen, given.top)
            print(f"All of it, with plots: {place}")


def show(seen: Summary, top: int) -> None:
    """Print how many trials ended how, and the best of them."""
    from rich.console import Console  # noqa: PLC0415  with its table only
    from rich.table import Table  # noqa: PLC0415  as above

    from starter.search.page import told  # noqa: PLC0415  as above

    counts = ", ".join(f"{count} {status}" for status, count in seen.counts.items())
    print(f"{seen.study.study_name}: {counts}  ({seen.folder})")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("trial", "status", seen.metric, *seen.params):
        table.add_column(name, justify="left" if name == "status" else "right", no_wrap=True)
    for row in seen.rows[:top]:
        values = [told(row.params.get(name)) for name in seen.params]
        measured = "-" if row.value is None else f"{row.value:.4f}"
        table.add_row(str(row.number), row.status, measured, *values)
    # As wide as it is, in a file or a pipe: what is cut off there cannot be scrolled to.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
    if seen.best is not None:
        print(f"evaluate ckpt_path={seen.best.run}/checkpoints/best.ckpt")


if __name__ == "__main__":
    main()
