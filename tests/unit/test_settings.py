"""Settings: parsed once, all mistakes together, all documented."""

import base64
import re
from pathlib import Path

import pytest

from ao.domain.errors import InvalidConfig
from ao.settings import RUNNER_VARIABLES, SETTINGS, Settings, home_of, is_loopback, parse

DOCS = Path(__file__).parents[2] / "docs/configuration.md"


def problems_of(variables: dict[str, str]) -> dict[str, str]:
    with pytest.raises(InvalidConfig) as caught:
        parse(variables)
    return {problem.field: f"{problem.message}; {problem.hint}" for problem in caught.value.problems}


def test_every_setting_is_documented_and_nothing_else() -> None:
    rows = set(re.findall(r"^\| `(AO_\w+)`", DOCS.read_text(), re.MULTILINE))
    assert rows == {setting.variable for setting in SETTINGS}
    assert all(f"`{name}`" in DOCS.read_text() for name in RUNNER_VARIABLES)


def test_the_defaults_need_no_variable_at_all() -> None:
    settings = parse({"HOME": "/home/me"})
    assert settings.home == Path("/home/me/.local/share/ao")
    assert settings.database_url == "sqlite:////home/me/.local/share/ao/ao.db"
    assert (settings.host, settings.port, settings.loopback) == ("127.0.0.1", 7433, True)
    assert set(settings.origins.values()) == {"default"}


def test_all_mistakes_are_told_together() -> None:
    found = problems_of(
        {
            "AO_PORT": "70000",
            "AO_PROT": "1",
            "AO_LOG_LEVEL": "loud",
            "AO_DATABASE_URL": "mysql://db",
            "AO_MAX_UPLOAD": "big",
            "AO_HEARTBEAT_SECONDS": "-1",
            "AO_URL": "localhost:7433",
        }
    )
    assert set(found) == {
        "AO_PORT",
        "AO_PROT",
        "AO_LOG_LEVEL",
        "AO_DATABASE_URL",
        "AO_MAX_UPLOAD",
        "AO_HEARTBEAT_SECONDS",
        "AO_URL",
    }
    assert "did you mean AO_PORT?" in found["AO_PROT"]


def test_variables_of_the_runner_and_of_others_are_left_alone() -> None:
    variables = dict.fromkeys(RUNNER_VARIABLES, "x")
    assert parse({"HOME": "/h", "PATH": "/bin", **variables}).port == 7433


def test_the_empty_string_counts_as_not_set() -> None:
    assert parse({"HOME": "/h", "AO_PORT": ""}).origins["AO_PORT"] == "default"


def test_a_value_keeps_where_it_came_from() -> None:
    settings = parse({"HOME": "/h", "AO_PORT": "0", "AO_HOME": "/srv/ao"})
    assert (settings.port, settings.origins["AO_PORT"], settings.origins["AO_HOST"]) == (0, "env", "default")
    assert settings.database_url == "sqlite:////srv/ao/ao.db"


def test_secret_values_are_neither_shown_nor_told_in_errors() -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    shown = repr(parse({"HOME": "/h", "AO_API_KEY": "ao_abcdefgh", "AO_SECRETS_KEY": key}))
    assert "abcdefgh" not in shown
    assert "\\x01" not in shown
    found = problems_of({"AO_SECRETS_KEY": "c2hvcnQ=", "AO_DATABASE_URL": "mysql://u:hunter2@db"})
    assert "hunter2" not in str(found)
    assert "c2hvcnQ" not in str(found)


def test_a_heartbeat_must_fit_twice_into_the_lease() -> None:
    assert "AO_HEARTBEAT_SECONDS" in problems_of({"AO_LEASE_SECONDS": "5", "AO_HEARTBEAT_SECONDS": "3"})
    assert parse({"HOME": "/h", "AO_LEASE_SECONDS": "6", "AO_HEARTBEAT_SECONDS": "3"}).lease_seconds == 6


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://user:pass%40word@cache.example:6380/3",
        "redis://[::1]:6379/",
        "rediss://cache.example:6379?ssl_ca_certs=/etc/ssl/redis.pem",
        "unix:///run/redis/redis.sock?db=2",
        "unix://:password@/run/redis.sock",
    ],
)
def test_redis_is_named_by_a_url(url: str) -> None:
    assert parse({"HOME": "/h", "AO_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "redis://",
        "redis://:hunter2@",
        "redis://host:99999",
        "redis://host:0",
        "redis://host/zero",
        "redis://host/0/1",
        "redis://host?protocol=3",
        "redis://ho st",
        "rediss://host?ssl_cert_reqs=none",
        "rediss://host?ssl_ca_certs",
        "unix://relative/redis.sock",
        "unix:///",
        "unix:///run/redis.sock?db=x",
        "redis+socket:///run/redis.sock",
        "redis://host#1",
    ],
)
def test_a_url_that_is_not_of_redis_is_refused_without_being_told(url: str) -> None:
    told = problems_of({"AO_REDIS_URL": url})["AO_REDIS_URL"]
    assert told.startswith("its value ")
    assert "hunter2" not in told


def test_the_url_of_redis_is_not_shown() -> None:
    assert "hunter2" not in repr(parse({"HOME": "/h", "AO_REDIS_URL": "redis://:hunter2@host"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1024", 1024), ("2K", 2048), ("200M", 200 << 20), ("1 GiB", 1 << 30), ("2gb", 2 << 30)],
)
def test_sizes_have_units(text: str, expected: int) -> None:
    assert parse({"HOME": "/h", "AO_MAX_UPLOAD": text}).max_upload == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1", "[::1]"])
def test_loopback_has_many_names(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("ao.example")


def test_the_home_follows_the_desktop_standard() -> None:
    assert home_of({"XDG_DATA_HOME": "/data", "HOME": "/h"}) == Path("/data/ao")
    assert home_of({"XDG_DATA_HOME": "relative", "HOME": "/h"}) == Path("/h/.local/share/ao")
    assert home_of({"AO_HOME": "/x", "HOME": "/h"}) == Path("/x")


def test_settings_cannot_be_changed() -> None:
    settings = parse({"HOME": "/h"})
    assert isinstance(settings, Settings)
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]


def test_hosts_of_webhooks_are_a_list() -> None:
    assert parse({"AO_WEBHOOK_HOSTS": "10.0.0.7:8080, *.corp.example,[::1]:9"}).webhook_hosts == (
        "10.0.0.7:8080",
        "*.corp.example",
        "[::1]:9",
    )
    with pytest.raises(InvalidConfig):
        parse({"AO_WEBHOOK_HOSTS": "http://x"})


SECRETS = sorted(setting.variable for setting in SETTINGS if setting.secret)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://u:hunter2@db/ao\n")
    settings = parse({"HOME": "/h", "AO_DATABASE_URL_FILE": str(file)})
    assert settings.database_url == "postgresql://u:hunter2@db/ao"
    assert settings.origins["AO_DATABASE_URL"] == "file"


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_and_its_file_together_are_refused(variable: str, tmp_path: Path) -> None:
    found = problems_of({variable: "x", f"{variable}_FILE": str(tmp_path / "x")})
    assert f"is set beside {variable}; keep one of the two" in found[f"{variable}_FILE"]


def test_a_secret_file_that_cannot_be_used_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "wrong").write_text("mysql://u:hunter2@db")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    found = problems_of(
        {
            "AO_SECRETS_KEY_FILE": str(tmp_path / "absent"),
            "AO_REDIS_URL_FILE": str(tmp_path / "empty"),
            "AO_DATABASE_URL_FILE": str(tmp_path / "wrong"),
            "AO_API_KEY_FILE": str(tmp_path / "binary"),
        }
    )
    assert "absent, which cannot be read: No such file" in found["AO_SECRETS_KEY_FILE"]
    assert "empty, which is empty; it holds the value of AO_REDIS_URL" in found["AO_REDIS_URL_FILE"]
    assert "its value is not postgresql://" in found["AO_DATABASE_URL_FILE"]
    assert "it is not text" in found["AO_API_KEY_FILE"]
    assert "hunter2" not in str(found)


def test_what_is_no_secret_has_no_file() -> None:
    assert problems_of({"AO_PORT_FILE": "/x"})["AO_PORT_FILE"] == "is not a setting; did you mean AO_PORT?"
