"""Who visits: the session cookie, what was just seen of it, and the token that every form carries."""

import hashlib
import hmac
import time
from collections import OrderedDict

from starlette.requests import Request
from starlette.responses import Response

from ao.control.logins import SESSION_SECONDS, Logins
from ao.domain.errors import Forbidden
from ao.store.records import Login

REMEMBERED_SECONDS = 2.0
"""A session that was ended elsewhere, or whose key was revoked, works for at most this long."""
REMEMBERED = 1024
CSRF_FIELD = "csrf"


class Sessions:
    def __init__(self, logins: Logins, path: str) -> None:
        self._logins = logins
        self._path = path
        self._seen: OrderedDict[str, tuple[float, Login]] = OrderedDict()

    async def find(self, token: str) -> Login | None:
        """The login of a session token; one that was just seen needs no database."""
        remembered = self._seen.get(token)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        self._seen.pop(token, None)
        login = await self._logins.find(token) if token else None
        if login is not None:
            self._seen[token] = (time.monotonic() + REMEMBERED_SECONDS, login)
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return login

    async def close(self, token: str) -> None:
        self._seen.pop(token, None)
        await self._logins.close(token)

    def remember(self, request: Request, response: Response, token: str) -> None:
        """Give the browser its session."""
        self._set(request, response, _name(request, "session"), token, SESSION_SECONDS)

    def forget(self, request: Request, response: Response) -> None:
        self._set(request, response, _name(request, "session"), "", 0)

    def mark(self, request: Request, response: Response, token: str) -> None:
        """Give a browser that is not logged in something that its login form's token is made from."""
        self._set(request, response, _name(request, "visitor"), token, 3600)

    def _set(self, request: Request, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self._path,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )


def session_token(request: Request) -> str:
    return request.cookies.get(_name(request, "session"), "")


def visitor_token(request: Request) -> str:
    return request.cookies.get(_name(request, "visitor"), "")


def csrf_token(of: str) -> str:
    """What a form must send back: only pages of this server can know it, for it is made from a cookie that
    no script and no other site can read."""
    return hashlib.sha256(f"ao csrf {of}".encode()).hexdigest()


def check_form(request: Request, of: str, given: str) -> None:
    """Raises Forbidden unless a form comes from a page of this server that was shown to this visitor.

    The door has refused foreign origins already; here one must have been named.
    """
    if "origin" not in request.headers:
        raise Forbidden(
            "this form did not say where it comes from", hint="use a browser of the last five years"
        )
    if not of or not hmac.compare_digest(csrf_token(of), given):
        raise Forbidden("this form is too old, or was not made for you", hint="go back, reload and try again")


def _name(request: Request, kind: str) -> str:
    """Cookies do not tell ports apart: two servers on one host would log each other's visitors out."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"ao-{kind}-{port}" if port.isdigit() else f"ao-{kind}"
