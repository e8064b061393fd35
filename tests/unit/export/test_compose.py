"""The stack for Docker Compose, as files."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from ao.domain.errors import Conflict
from ao.export.compose import Stack, write
from ao.setting_values import database_url, redis_url, secrets_key
from ao.settings import SETTINGS


def services(directory: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((directory / "compose.yaml").read_text())
    return document


def test_every_service_is_hardened_limited_watched_and_rotates_its_log(tmp_path: Path) -> None:
    write(Stack("ao:1", workers=3), tmp_path)
    document = services(tmp_path)
    assert set(document["services"]) == {"server", "worker", "postgres", "redis"}
    for service in document["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"] == {"max-size": "50m", "max-file": "5"}
        assert {"mem_limit", "cpus", "pids_limit", "healthcheck", "tmpfs"} <= set(service)
    assert document["services"]["worker"]["scale"] == 3
    assert document["services"]["server"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert document["services"]["worker"]["depends_on"] == {"server": {"condition": "service_healthy"}}


def test_only_the_server_is_published_and_the_database_has_no_way_out(tmp_path: Path) -> None:
    write(Stack("ao:1"), tmp_path)
    document = services(tmp_path)
    published = {name for name, service in document["services"].items() if "ports" in service}
    assert published == {"server"}
    assert document["services"]["server"]["ports"][0].startswith("${STACK_ADDRESS:-127.0.0.1}:")
    assert document["networks"]["back"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert document["services"][name]["networks"] == ["back"]


def test_settings_that_the_stack_gives_are_settings(tmp_path: Path) -> None:
    write(Stack("ao:1"), tmp_path)
    known = {setting.variable for setting in SETTINGS}
    known |= {f"{setting.variable}_FILE" for setting in SETTINGS if setting.secret}
    for service in services(tmp_path)["services"].values():
        given = {name for name in service.get("environment", {}) if name.startswith("AO_")}
        assert given <= known


def test_secrets_are_new_valid_and_behind_a_directory_that_only_its_owner_enters(tmp_path: Path) -> None:
    write(Stack("ao:1"), tmp_path / "one")
    write(Stack("ao:1"), tmp_path / "two")
    directory = tmp_path / "one" / "secrets"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    said = {file.name: file.read_text() for file in directory.iterdir()}
    assert said["postgres_password"] in database_url(said["database_url"])
    assert redis_url(said["redis_url"]).startswith("redis://:")
    assert said["redis_url"].split(":")[2].partition("@")[0] in said["redis_config"]
    assert len(secrets_key(said["secrets_key"])) == 32
    for name, text in said.items():
        assert text != (tmp_path / "two" / "secrets" / name).read_text()
    rest = "".join(file.read_text() for file in (tmp_path / "one").iterdir() if file.is_file())
    assert said["postgres_password"] not in rest
    assert "secrets/" in (tmp_path / "one" / ".gitignore").read_text()


def test_nothing_is_overwritten_without_force_and_secrets_never_are(tmp_path: Path) -> None:
    write(Stack("ao:1"), tmp_path)
    before = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    (tmp_path / "compose.yaml").write_text("mine\n")
    with pytest.raises(Conflict, match=r"already has \.env, \.gitignore, compose\.yaml"):
        write(Stack("ao:2"), tmp_path)
    assert (tmp_path / "compose.yaml").read_text() == "mine\n"
    done = write(Stack("ao:2"), tmp_path, force=True)
    assert "STACK_IMAGE=ao:2" in (tmp_path / ".env").read_text()
    assert {f"secrets/{name}" for name in before} == set(done.kept)
    assert before == {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}


def test_namespaces_open_the_workers_and_nothing_else(tmp_path: Path) -> None:
    write(Stack("ao:1", isolation="namespaces"), tmp_path)
    found = services(tmp_path)["services"]
    assert "seccomp=unconfined" in found["worker"]["security_opt"]
    assert "no-new-privileges:true" in found["worker"]["security_opt"]
    assert found["server"]["security_opt"] == ["no-new-privileges:true"]
    assert found["worker"]["environment"]["AO_SANDBOX"] == "namespaces"


def test_every_variable_of_the_stack_is_explained_where_it_is_set(tmp_path: Path) -> None:
    write(Stack("ao:1"), tmp_path)
    used = set(re.findall(r"\$\{(\w+)", (tmp_path / "compose.yaml").read_text()))
    assert used <= set(re.findall(r"\w+", (tmp_path / ".env").read_text()))


@pytest.mark.parametrize("lost", ["postgres_password", "database_url", "redis_config", "redis_url"])
def test_a_secret_that_was_lost_is_made_of_the_one_beside_it(tmp_path: Path, lost: str) -> None:
    write(Stack("ao:1"), tmp_path)
    file = tmp_path / "secrets" / lost
    before = file.read_text()
    file.unlink()
    assert f"secrets/{lost}" in write(Stack("ao:1"), tmp_path, force=True).written
    assert file.read_text() == before


def test_no_other_key_takes_the_place_of_one_that_was_lost(tmp_path: Path) -> None:
    write(Stack("ao:1"), tmp_path)
    (tmp_path / "secrets" / "secrets_key").unlink()
    (tmp_path / ".env").write_text("mine\n")
    with pytest.raises(Conflict, match=r"secrets_key is not there") as told:
        write(Stack("ao:1"), tmp_path, force=True)
    assert "back-up" in told.value.hint
    assert (tmp_path / ".env").read_text() == "mine\n"
