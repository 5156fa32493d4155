"""The command line: operator verbs over the rooms below. Each verb asks a room to do its work and shows the outcome."""


def main() -> None:
    """Entry point of `openfaith-pipeline`."""
    from openfaith_pipeline.cli.app import run

    run()
