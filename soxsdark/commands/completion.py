"""soxsdark completion."""

import click
from click.shell_completion import get_completion_class

from soxsdark.commands.common import example
from soxsdark.errors import ExitCode

COMPINIT = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"
"""A zsh that its user has never set up completes nothing."""


@click.command(**example("soxsdark completion bash >> ~/.bashrc"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what makes a shell complete our commands.

    Options, files, settings keys, metrics and instruments are completed, too. It goes into
    ~/.bashrc, ~/.zshrc or ~/.config/fish/completions/soxsdark.fish.
    """
    program, made_for = context.find_root(), get_completion_class(shell)
    if made_for is None:
        raise click.UsageError(f"click does not complete for {shell}")
    script = made_for(program.command, {}, "soxsdark", "_SOXSDARK_COMPLETE")
    text = script.source()
    if shell == "zsh":
        text = text.replace("\n", f"\n{COMPINIT}\n", 1)
    # or else what is said of a word would end at its first comma
    click.echo(text.replace('string split ","', 'string split -m 1 ","'))
    return ExitCode.DONE
