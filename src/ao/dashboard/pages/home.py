"""Home: what needs somebody, then how it goes."""

from starlette.responses import Response
from starlette.routing import Route

from ao.dashboard.frame import Frame, Visit


class HomePages:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [self._frame.page("/", self.home, "list_runs")]

    async def home(self, visit: Visit) -> Response:
        about = self._frame.services.about
        return self._frame.render(visit, "home.html", title="Home", section="home", about=about)
