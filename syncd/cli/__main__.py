"""`python -m syncd.cli`."""

from syncd.cli import main

main()
