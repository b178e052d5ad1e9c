"""The command line `babelshelf`: what one does around the pipeline; the pipeline itself is `dvc repro`.

Each command imports what it needs when it runs, so that none waits for the libraries of another.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
@click.version_option(package_name="babelshelf")
def main() -> None:
    """Data-centric, multilingual product-search relevance; run from the repository's root."""


@main.command()
def check() -> None:
    """Validate all of params.yaml."""
    from babelshelf.params.check import check as check_params  # noqa: PLC0415
    from babelshelf.params.load import PARAMS_FILE  # noqa: PLC0415

    check_params()
    click.echo(f"{PARAMS_FILE}: ok")


@main.command()
def show() -> None:
    """Show the results of the last run."""
    from rich.console import Console  # noqa: PLC0415

    from babelshelf.summary import table  # noqa: PLC0415

    Console().print(table(Path("metrics")))


@main.command()
@click.argument("name")
def profile(name: str) -> None:
    """Apply profiles/NAME.yaml to params.yaml."""
    from babelshelf.profiles import apply  # noqa: PLC0415

    changes = apply(name)
    for path, old, new in changes:
        click.echo(f"{path}: {old} -> {new}")
    if not changes:
        click.echo(f"params.yaml is as profile {name} has it")


if __name__ == "__main__":
    main()
