"""soxsdark completion."""

import click
from click.shell_completion import get_completion_class

from soxsdark.commands.common import example
from soxsdark.errors import ExitCode


@click.command(**example("soxsdark completion bash >> ~/.bashrc"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what makes a shell complete our commands.

    Options and files are completed, too. It goes into ~/.bashrc, ~/.zshrc or
    ~/.config/fish/completions/soxsdark.fish.
    """
    program, made_for = context.find_root(), get_completion_class(shell)
    if made_for is None:
        raise click.UsageError(f"click does not complete for {shell}")
    script = made_for(program.command, {}, "soxsdark", "_SOXSDARK_COMPLETE")
    click.echo(script.source())
    return ExitCode.DONE
