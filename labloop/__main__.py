"""`python -m labloop` is the command line."""

from labloop.cli import main

main()
