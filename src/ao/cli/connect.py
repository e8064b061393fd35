"""The client of this call."""

from ao.cli.session import Session
from ao.client import calls
from ao.client.api import Client
from ao.domain.errors import InvalidConfig
from ao.settings import misspelt_connection_variables


def connect(session: Session) -> Client:
    """Nothing is sent yet; the first request names the URL and its origin when nobody answers."""
    misspelt = misspelt_connection_variables()
    if misspelt:
        # Otherwise the command would speak to another server than the one that was meant.
        first = misspelt[0]
        raise InvalidConfig(f"{first.field} {first.message}", hint=first.hint, problems=misspelt)
    client = Client(url=session.url)
    session.key_hint = _key_hint(client)
    return client


def refuse_unknown(session: Session, agent: str | None) -> None:
    """For a list that is empty: NotFound when it is so because the name is mistyped."""
    if agent is not None:
        connect(session).send_json(calls.get_agent(agent))


def _key_hint(client: Client) -> str:
    if client.target.api_key is None:
        return "set AO_API_KEY; `ao up` keeps its key in the file `key` of its home directory"
    if client.target.key_origin == "AO_API_KEY":
        return f"the key came from AO_API_KEY; unset it, or set the one that {client.target.url} knows"
    return f"the key came from {client.target.key_origin}; set AO_API_KEY to one that {client.target.url} knows"
