"""`python -m nissl` is the `nissl` command."""

from nissl.cli import main

main()
