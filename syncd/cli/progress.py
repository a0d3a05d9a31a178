"""A bar on a terminal while something goes on; nothing anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from syncd.control import Tell


@contextmanager
def bar(out: TextIO) -> Iterator[Tell]:
    """Give a function to tell how much is `left`; the most there ever was counts as the whole."""
    if not out.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(file=out), transient=True
    ) as drawn:
        task = drawn.add_task("syncing", total=None)
        most = 0

        def tell(progress: dict[str, Any]) -> None:
            nonlocal most
            left = int(progress.get("left", 0))
            most = max(most, left)
            drawn.update(task, total=max(most, 1), completed=most - left, description=f"syncing, {left} left")

        yield tell
