"""The command line: operator verbs over the rooms below.

Belongs here: options, questions and output of a verb. Does not: the work itself, which the verb calls; SQL.
"""


def main() -> None:
    """Entry point of `openfaith-pipeline`."""
    from openfaith_pipeline.cli.app import run

    run()
