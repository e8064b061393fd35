"""The composition root: the one place that names concrete classes and decides what lives how long.

`ground` is what all processes stand on, `working` and `serving` are built on it, `platform` is all of them
together, and `process` is their life.
"""

from ao.wiring.platform import Platform, Ready, open_platform
from ao.wiring.process import serve
from ao.wiring.serving import application

__all__ = ["Platform", "Ready", "application", "open_platform", "serve"]
