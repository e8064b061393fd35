"""From what a project asks for to the recipe of its environment, with as little work as possible."""

from collections.abc import Sequence
from dataclasses import dataclass

from ao.blobs import BlobStore
from ao.build import BuildRequest, Log, requirements
from ao.build.environments import Environments, Recipe
from ao.build.locks import Locks, requirements_hash
from ao.build.pythons import Python
from ao.build.requirements import Wanted
from ao.domain.artifact import Blob
from ao.ids import Digest
from ao.store.records import BuiltRelease


@dataclass(frozen=True, slots=True)
class Prepared:
    recipe: Recipe
    lock: bytes | None
    requirements_hash: str


class Dependencies:
    def __init__(self, locks: Locks, environments: Environments, blobs: BlobStore) -> None:
        self._locks = locks
        self._environments = environments
        self._blobs = blobs

    async def prepare(self, request: BuildRequest, python: Python, log: Log) -> Prepared:
        """Lock and wheels: the project's own lock, else that of an earlier release whose requirements were
        equal, else resolved now. What was downloaded once is not downloaded again."""
        config, root = request.upload.config, request.upload.directory
        bare = Recipe(python.identity, python.version)
        file = requirements.find(config, root)
        wanted = await self._locks.wanted(file, root, python, config.build.source) if file else None
        if wanted is None or not any(not line.startswith("-") for line in wanted.lines):
            log("No dependencies")
            return Prepared(bare, None, "")
        asked = requirements_hash(wanted, python)
        known = await self._known(wanted, asked, request, python, log)
        if known is None:
            log(f"{'Downloading' if wanted.is_lock else 'Resolving'} the packages of {wanted.source}")
            env = await self._environments.make(bare, log) if config.build.source else None
            locked = await self._locks.resolve(wanted, root, python, log, env)
            digest = await self._blobs.put(locked.lock)
            known = Recipe(python.identity, python.version, digest, locked.wheels)
        assert known.lock is not None
        return Prepared(known, await self._blobs.get(known.lock), asked)

    async def _known(
        self, wanted: Wanted, asked: str, request: BuildRequest, python: Python, log: Log
    ) -> Recipe | None:
        """A recipe for these requirements whose lock and wheels are all kept."""
        if wanted.is_lock:
            recipe = Recipe(python.identity, python.version, Blob.of(wanted.text.encode()).digest)
            log(f"Using the lock {wanted.source}")
            candidates = {recipe.key: None, **_equal(request.previous, asked)}
        elif request.upgrade:
            return None
        else:
            candidates = _equal(request.previous, asked)
        for key, elsewhere in candidates.items():
            earlier = self._environments.recipe(key) or elsewhere
            if earlier is None or earlier.lock is None or not await self._is_kept(earlier):
                continue
            if not wanted.is_lock:
                log("Requirements are unchanged: using the lock of the release before")
            return Recipe(python.identity, python.version, earlier.lock, earlier.wheels)
        return None

    async def _is_kept(self, recipe: Recipe) -> bool:
        digests: list[Digest] = [*(recipe.wheels or {}).values()]
        digests += [recipe.lock] if recipe.lock else []
        for digest in digests:
            if not await self._blobs.exists(digest):
                return False
        return True


def _equal(previous: Sequence[BuiltRelease], asked: str) -> dict[str, Recipe | None]:
    """Environments of earlier releases that asked for the same: key → recipe, where the release has it."""
    return {
        release.env_key: Recipe.from_json(release.recipe) if release.recipe else None
        for release in previous
        if release.requirements_hash == asked
    }
