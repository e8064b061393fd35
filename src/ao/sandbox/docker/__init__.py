"""The executor whose sandboxes are containers of a Docker Engine on this host.

`engine` speaks to it, `images` knows what Python an image has, `environment` shows an agent's environment to
that Python, `container` says what a container may, `door` is the way to its first process
(`ao.sandbox.process.supervisor.inside`), and `executor` puts them together.
"""

from ao.sandbox.docker.engine import Engine, EngineFacts
from ao.sandbox.docker.executor import DockerExecutor, DockerOptions

__all__ = ["DockerExecutor", "DockerOptions", "Engine", "EngineFacts"]
