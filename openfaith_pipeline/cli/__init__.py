"""The command line: operator verbs over the rooms below. Each verb calls a room and shows the result."""


def main() -> None:
    """Entry point of `openfaith-pipeline`."""
    from openfaith_pipeline.cli.app import run

    run()
