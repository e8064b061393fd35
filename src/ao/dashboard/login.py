"""Logging in by a link or an API key, logging out, and the choice of the theme."""

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ao.control.logins import Logins
from ao.dashboard.frame import BASE, THEME_COOKIE, THEMES, Frame, Visit, read_form, redirect
from ao.dashboard.sessions import CSRF_FIELD, check_form, csrf_token, session_token, visitor_token
from ao.domain.errors import AoError, Unauthenticated

_YEAR_SECONDS = 365 * 24 * 3600


class LoginPages:
    def __init__(self, frame: Frame, logins: Logins) -> None:
        self._frame = frame
        self._logins = logins

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.show, methods=["GET"], name="login"),
            Route("/login", self.enter, methods=["POST"], name="enter"),
            self._frame.action("/logout", self.leave, "get_status"),
            self._frame.action("/theme", self.choose_theme, "get_status"),
        ]

    async def show(self, request: Request) -> Response:
        """The form, or with `?token=` the door that a link opens."""
        wanted = safe_path(request.query_params.get("next", ""))
        token = request.query_params.get("token")
        if token is None:
            return self._form(request, wanted)
        try:
            session = await self._logins.redeem(token)
        except Unauthenticated as error:
            if await self._frame.sessions.find(session_token(request)):
                return self._welcome(wanted)  # reloaded, or opened twice in the same browser
            return self._form(request, wanted, error)
        except AoError as error:
            return self._frame.refusal(request, None, error)
        response = self._welcome(wanted)
        self._frame.sessions.remember(request, response, session)
        return response

    async def enter(self, request: Request) -> Response:
        """Trade an API key for a session."""
        try:
            form = await read_form(request)
            wanted = safe_path(form.get("next", ""))
            check_form(request, visitor_token(request), form.get(CSRF_FIELD, ""))
            session = await self._logins.open(form.get("key", ""))
        except Unauthenticated as error:
            return self._form(request, wanted, error)
        except AoError as error:
            return self._frame.refusal(request, None, error)
        response = redirect(wanted)
        self._frame.sessions.remember(request, response, session)
        return response

    async def leave(self, visit: Visit) -> Response:
        await self._frame.sessions.close(visit.token)
        response = redirect("/login")
        self._frame.sessions.forget(visit.request, response)
        return response

    async def choose_theme(self, visit: Visit) -> Response:
        theme = visit.form.get("theme", "")
        response = redirect(safe_path(visit.form.get("next", "")))
        if theme in THEMES:
            response.set_cookie(THEME_COOKIE, theme, _YEAR_SECONDS, path=BASE, samesite="strict", httponly=True)
        return response

    def _welcome(self, wanted: str) -> Response:
        """A page that goes on by itself: a redirect would keep the place that the link was opened from, and
        from another site it would arrive without the cookie."""
        return self._frame.render(None, "welcome.html", title="Logged in", wanted=f"{BASE}{wanted}")

    def _form(self, request: Request, wanted: str, error: AoError | None = None) -> Response:
        visitor = visitor_token(request) or secrets.token_urlsafe(32)
        response = self._frame.render(
            None,
            "login.html",
            title="Log in",
            status=401 if error else 200,
            csrf_token=csrf_token(visitor),
            wanted=wanted,
            error=error,
        )
        self._frame.sessions.mark(request, response, visitor)
        return response


def safe_path(text: str) -> str:
    """A path below the dashboard's base that a form or link named; Home for anything else."""
    path = text.removeprefix(BASE)
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain else "/"
