"""The composition root: the one place that names concrete classes and decides what lives how long.

`ground` is what all processes stand on, `working` and `serving` are built on it, `platform` puts together
what one process has, and `process` is its life.
"""

from ao.wiring.fleet import check_fleet
from ao.wiring.platform import Platform, open_platform
from ao.wiring.process import Ready, serve, work
from ao.wiring.serving import application

__all__ = ["Platform", "Ready", "application", "check_fleet", "open_platform", "serve", "work"]
