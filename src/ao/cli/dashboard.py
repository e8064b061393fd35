"""`ao dashboard`."""

import webbrowser
from typing import Annotated

import typer

from ao.cli import output
from ao.cli.connect import connect
from ao.cli.session import Session
from ao.client import calls


def dashboard(
    session: Session,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in this machine's browser.")] = False,
) -> None:
    """Print a link that logs in to the dashboard.

    It works once, within an hour, and logs in with the rights of the API key that this command uses.
    """
    client = connect(session)
    made = client.send_json(calls.create_login_link())
    url = f"{client.target.url}{made['path']}"
    if session.json:
        output.as_json({"url": url, "expires_at": made["expires_at"]})
    else:
        output.data(url)
    if open_browser and not webbrowser.open(url):
        output.say("no browser was found; open the link yourself")
