"""The command line `waitpoints`."""


def main() -> None:
    """Run the command that the process's arguments name, and exit."""
    from waitpoints_client.cli.program import program

    program(prog_name="waitpoints")
