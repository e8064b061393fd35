"""The executor whose sandboxes are containers of a Docker Engine on this host.

`engine` speaks to it, `images` knows what Python an image has, `dockerfiles` builds those of agents with a
Dockerfile (`context` is what they are made of, `said` what the engine says), `environment` shows an agent's
environment to that Python, `container` says what a container may, `door` is the way to its first process
(`ao.sandbox.process.supervisor.inside`), and `executor` puts them together.
"""

from ao.sandbox.docker.engine import Engine, EngineFacts
from ao.sandbox.docker.executor import DockerExecutor, DockerOptions

__all__ = ["DockerExecutor", "DockerOptions", "Engine", "EngineFacts"]
