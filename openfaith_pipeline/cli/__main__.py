"""`python -m openfaith_pipeline.cli`: the command line for processes that know the interpreter and not the PATH."""

from openfaith_pipeline.cli import main

main()
