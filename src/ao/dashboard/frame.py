"""What all pages share: who visits, what they may do, how an answer or a refusal looks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ao.clock import SystemClock
from ao.control.audit import ORIGIN
from ao.control.logins import SITE_PATH
from ao.dashboard.assets import Assets
from ao.dashboard.navigation import Crumb, sections_for
from ao.dashboard.sessions import CSRF_FIELD, Sessions, check_form, csrf_token, session_token
from ao.dashboard.templating import environment
from ao.domain.access import ALL_AGENTS, SOME_AGENT, require
from ao.domain.errors import AoError, NotFound, Unauthenticated, UsageError
from ao.logs import get_logger
from ao.server.failures import CLIENT_GONE, internal_error
from ao.server.roles import RULES, Of, Rule, may_do
from ao.server.services import Services
from ao.store.records import Login
from ao.wire.problems import status_of

log = get_logger(__name__)

BASE = SITE_PATH
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "ao-theme"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style anywhere: positions in pictures are attributes of SVG."""

SECURITY_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # Not no-referrer: browsers would then send forms with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in."""

    request: Request
    login: Login
    token: str
    now_us: int
    form: Mapping[str, str] = field(default_factory=dict)
    """Fields of the form that was sent, for an action."""
    held: list[str] = field(default_factory=list)
    """Agents that `hold` has let pass."""

    def may(self, operation: str, agent: str = SOME_AGENT) -> bool:
        """Whether this visitor may do an operation of `ao.server.roles`, with this agent or with any at all."""
        return may_do(self.login.key, operation, agent)

    def hold(self, needs: str, agent: str) -> None:
        """Raises Forbidden unless the visitor may do this operation with the agent of what was found."""
        require(self.login.key, RULES[needs].permission, agent)
        self.held.append(agent)

    @property
    def scope(self) -> Sequence[str]:
        """The agents that the visitor's key is for; empty means all. Lists show only theirs."""
        return self.login.key.agents

    @property
    def actor(self) -> str:
        """Who it is, as it is kept with what they change."""
        return f"key:{self.login.key.name}"

    @property
    def csrf(self) -> str:
        return csrf_token(self.token)

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of the path, as text."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params


Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Guarded(Route):
    """For visitors who may do the operation `needs`."""

    def __init__(self, path: str, endpoint: Endpoint, needs: str, *, methods: list[str], name: str) -> None:
        super().__init__(path, endpoint, methods=methods, name=name)
        self.needs = needs


class Frame:
    """Makes routes of handlers and pages of templates."""

    def __init__(self, services: Services, assets: Assets, sessions: Sessions) -> None:
        self.services = services
        self.sessions = sessions
        self._templates = environment(assets.url, BASE)

    def page(self, path: str, handler: Handler, needs: str, *, holds: bool = False) -> Route:
        """`GET path`, for visitors who may do the operation `needs`. `holds`: the handler itself calls
        `Visit.hold` with the agent of what it reads, which saves looking for it before."""

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, handler, needs, is_action=False, holds=holds)

        return Guarded(path, endpoint, needs, methods=["GET"], name=_name(handler))

    def action(self, path: str, handler: Handler, needs: str) -> Route:
        """`POST path` of a form that carries the visitor's token (`{{ csrf() }}` in the template)."""

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, handler, needs, is_action=True)

        return Guarded(path, endpoint, needs, methods=["POST"], name=_name(handler))

    async def _answer(
        self, request: Request, handler: Handler, needs: str, *, is_action: bool, holds: bool = False
    ) -> Response:
        visit: Visit | None = None
        try:
            visit = await self._visit(request, is_action=is_action)
            request.scope["ao.key"] = visit.login.key
            ORIGIN.set(replace(ORIGIN.get(), key_id=visit.login.key.id))
            rule = RULES[needs]
            said = visit.form if is_action else visit.query
            agent = SOME_AGENT if holds else await self._concerned(visit, rule, said)
            require(visit.login.key, rule.permission, agent)
            response = await handler(visit)
            if holds and not visit.held:
                raise LookupError(f"{request.scope.get('path')} was answered to a key of any scope")
        except Unauthenticated:
            return self._to_login(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except AoError as error:
            return self.refusal(request, visit, error)
        except Exception:
            log.exception("page failed", route=request.scope.get("path"))
            return self.refusal(request, visit, internal_error(_request_id()))
        response.headers.setdefault("cache-control", "no-store")
        return response

    async def _concerned(self, visit: Visit, rule: Rule, said: Mapping[str, str]) -> str:
        """The agent that a page or form is about: that of the path or of its run, or the one that is said where
        the handler looks, too: in the query of a page, in the fields of a form."""
        if rule.of is Of.SERVER:
            return ALL_AGENTS
        if "run_id" in visit.path:
            return await self.services.runs.agent_of(visit.path["run_id"]) if visit.scope else SOME_AGENT
        named = visit.path.get("agent") or said.get("agent")
        return named or (ALL_AGENTS if rule.of is Of.QUERY else SOME_AGENT)

    async def _visit(self, request: Request, *, is_action: bool) -> Visit:
        token = session_token(request)
        login = await self.sessions.find(token)
        if login is None:
            raise Unauthenticated("nobody is logged in")
        form = await read_form(request) if is_action else {}
        if is_action:
            given = request.headers.get("x-csrf-token") or form.get(CSRF_FIELD, "")
            check_form(request, token, given)
        return Visit(request, login, token, SystemClock().now_us(), form)

    def _to_login(self, request: Request) -> Response:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = f"{BASE}/login"
        if request.method == "GET" and wanted.rstrip("/") != BASE:
            target += f"?next={quote(wanted)}"
        if "hx-request" in request.headers:
            return Response(status_code=401, headers={"hx-redirect": f"{BASE}/login", **SECURITY_HEADERS})
        return RedirectResponse(target, 303, headers=SECURITY_HEADERS)

    def render(
        self,
        visit: Visit | None,
        template: str,
        *,
        title: str,
        section: str = "",
        crumbs: Sequence[Crumb] = (),
        status: int = 200,
        **context: object,
    ) -> HTMLResponse:
        """A page in the frame. `section` is the navigation's entry that is marked; `crumbs` lead to the
        page, which is not among them."""
        request = visit.request if visit else None
        known = {
            "title": title,
            "section": section,
            "crumbs": crumbs,
            "visit": visit,
            "sections": sections_for(visit.may) if visit else (),
            "theme": _theme(request),
            "here": request.url.path if request else "",
            "ao_version": self.services.about.version,
            "now_us": visit.now_us if visit else SystemClock().now_us(),
            **context,
        }
        text = self._templates.get_template(template).render(known)
        return HTMLResponse(text, status, headers=SECURITY_HEADERS)

    def refusal(self, request: Request, visit: Visit | None, error: AoError) -> Response:
        """An error as a page, with what to do about it."""
        status = status_of(error)
        heading = _HEADINGS.get(status, "That did not work")
        return self.render(visit, "error.html", title=heading, status=status, error=error, code=status)

    async def lost(self, request: Request) -> Response:
        """Nothing is at this path, or it does not take this method."""
        login = await self.sessions.find(session_token(request))
        visit = Visit(request, login, session_token(request), SystemClock().now_us()) if login else None
        error = NotFound("there is no such page", hint="it may have moved: start from Home")
        return self.refusal(request, visit, error)


def redirect(path: str) -> Response:
    """After an action, to the page that shows what it did."""
    return RedirectResponse(f"{BASE}{path}", 303)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded form; the last of equal names counts."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise UsageError("this is not a form", hint="send application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    except (UnicodeDecodeError, HTTPException) as error:
        raise UsageError("this form cannot be read", hint="send less, and as UTF-8") from error


def _theme(request: Request | None) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "") if request else ""
    return chosen if chosen in THEMES else "auto"


def _name(handler: Handler) -> str:
    return getattr(handler, "__name__", "page")


def _request_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("request_id", "-"))


_HEADINGS = {
    400: "This request makes no sense",
    403: "You may not do that",
    404: "There is nothing here",
    409: "That is not possible now",
    422: "Something is not valid",
    500: "Something is broken on our side",
    503: "Not possible at the moment",
}
