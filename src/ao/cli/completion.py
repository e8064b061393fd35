"""`ao completion`."""

from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script

from ao.cli import output
from ao.cli.session import Session

VARIABLE = "_AO_COMPLETE"
"""Set by the script when a shell asks for completions."""


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    session: Session, shell: Annotated[Shell, typer.Argument(help="The shell that will read it.")]
) -> None:
    """Print a shell's completion script.

    bash: ao completion bash > ~/.local/share/bash-completion/completions/ao
    """
    script = get_completion_script(prog_name="ao", complete_var=VARIABLE, shell=shell.value)
    if session.json:
        output.as_json({"shell": shell.value, "script": script})
    else:
        output.data(script)
