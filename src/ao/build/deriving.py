"""A release as another one has it, but for its models, some of its prompts and its configuration.

The digest depends on nothing but the base and what is changed: equal changes give equal releases, and none
gives the base itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ao.blobs import BlobStore
from ao.build import layers
from ao.domain import artifact
from ao.domain.agent_config import AgentConfig
from ao.domain.artifact import Blob, Manifest, Part
from ao.domain.assistant import OtherPrompt
from ao.domain.errors import InvalidInput, Problem
from ao.ids import Digest
from ao.project.archive import Entry, Kind
from ao.project.nearest import did_you_mean

Files = Mapping[str, tuple[Entry, bytes]]


async def derive(
    blobs: BlobStore, base: Manifest, config: AgentConfig, prompts: Mapping[str, str | OtherPrompt]
) -> Digest:
    """Keep the release; returns its digest. Raises InvalidInput with a problem per prompt that is not there."""
    parts = dict(base.parts)
    models = artifact.models_file(config)
    if models is not None:
        entry = Entry(artifact.MODELS_FILE, size=len(models))
        parts[Part.MODELS] = await _keep(blobs, layers.pack([(entry, models)]))
    if prompts:
        layer = await blobs.get(parts[Part.PROMPTS].digest) if Part.PROMPTS in parts else None
        files = layers.files(layer) if layer else {}
        parts[Part.PROMPTS] = await _keep(blobs, layers.pack(_replaced(files, prompts)))
    manifest = Manifest(await _keep(blobs, artifact.config_blob(config)), parts)
    return await blobs.put(manifest.to_bytes())


async def _keep(blobs: BlobStore, content: bytes) -> Blob:
    await blobs.put(content)
    return Blob.of(content)


def _replaced(files: Files, prompts: Mapping[str, str | OtherPrompt]) -> list[tuple[Entry, bytes]]:
    problems = list(_unknown(files, prompts))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    return [_prompt(files, path, prompts.get(path)) for path in files]


def _prompt(files: Files, path: str, override: str | OtherPrompt | None) -> tuple[Entry, bytes]:
    entry, content = files[path]
    if override is None:
        return entry, content
    content = files[override.use][1] if isinstance(override, OtherPrompt) else override.encode()
    return replace(entry, kind=Kind.FILE, size=len(content), target=""), content


def _unknown(files: Files, prompts: Mapping[str, str | OtherPrompt]) -> Iterator[Problem]:
    named = {path: entry for path, (entry, _) in files.items()}
    for path, override in prompts.items():
        if path not in named:
            yield _no_such(f"overrides.prompts.{path}", path, named)
        elif isinstance(override, OtherPrompt):
            field = f"overrides.prompts.{path}.use"
            if override.use not in named:
                yield _no_such(field, override.use, named)
            elif named[override.use].kind is not Kind.FILE:
                yield Problem(field, f"{override.use} is a link", f"name {named[override.use].target}")


def _no_such(field: str, path: str, known: Mapping[str, Entry]) -> Problem:
    listed = ", ".join(list(known)[:20])
    hint = did_you_mean(path, known) or (
        f"it has {listed}" if known else "it has none; see `[prompts]` in ao.toml"
    )
    return Problem(field, f"the release has no prompt {path}", hint)
