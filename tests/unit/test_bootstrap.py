"""The bootstrap looks where pip would look, and takes nothing whose hash is not pinned."""

import base64
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pip_config
import pytest
import uv_wheel

NAME = "uv-9.9.9-py3-none-any.whl"
CONTENT = b"a wheel"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PAGE = f'<a href="../files/{NAME}#sha256={DIGEST}">{NAME}</a>'.encode()
ROOT = Path(__file__).resolve().parents[2]


class Index(BaseHTTPRequestHandler):
    """A package index that wants a password; as a proxy it answers for every host."""

    seen: list[str]

    def do_GET(self) -> None:
        type(self).seen.append(self.path)
        wanted = "Basic " + base64.b64encode(b"user:pa ss").decode()
        if "/private/" in self.path and self.headers.get("Authorization") != wanted:
            self.send_error(401)
            return
        body = CONTENT if self.path.endswith(".whl") else PAGE
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Index.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def read(tmp_path: Path, **variables: str) -> pip_config.PipConfig:
    return pip_config.read(
        {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), **variables}, "/nowhere"
    )


def alone(tmp_path: Path, **variables: str) -> pip_config.PipConfig:
    """Without the files of the host that runs the tests."""
    return read(tmp_path, PIP_CONFIG_FILE=os.devnull, **variables)


def test_variables_win_over_the_users_file(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[global]\nindex-url = https://one.example/simple\nproxy = http://proxy.example:3128\n")
    config = read(tmp_path, PIP_INDEX_URL="https://two.example/simple")
    assert config.index == "https://two.example/simple"
    assert config.proxy == "http://proxy.example:3128"
    assert (config.origin["index-url"], config.origin["proxy"]) == ("PIP_INDEX_URL", str(file))


def test_install_section_and_lists_over_several_lines_count(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a.example\n[install]\nindex-url = https://b.example\n"
                    "find-links =\n    /one\n    /two\n")  # fmt: skip
    config = read(tmp_path, PIP_CONFIG_FILE=str(file))
    assert config.index == "https://b.example"
    assert config.find_links == ["/one", "/two"]


def test_without_any_setting_it_is_pips_default(tmp_path: Path) -> None:
    config = alone(tmp_path)
    assert config.index == pip_config.DEFAULT_INDEX
    assert "UV_DEFAULT_INDEX" not in config.uv_environment({})


def test_no_index_leaves_only_wheel_directories(tmp_path: Path) -> None:
    config = alone(
        tmp_path, PIP_NO_INDEX="1", PIP_EXTRA_INDEX_URL="https://x.example", PIP_FIND_LINKS="/wheels"
    )
    assert (config.index, config.extra_indexes, config.find_links) == (None, [], ["/wheels"])


def test_uv_gets_what_pip_has_and_its_own_variables_win(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    config = alone(tmp_path, PIP_INDEX_URL="https://a.example", PIP_FIND_LINKS="/w1 /w2", PIP_CERT=str(bundle))
    env = config.uv_environment({"UV_DEFAULT_INDEX": "https://mine.example", "VIRTUAL_ENV": "/other"})
    assert env["UV_DEFAULT_INDEX"] == "https://mine.example"
    assert env["UV_FIND_LINKS"] == "/w1,/w2"
    assert env["SSL_CERT_FILE"] == str(bundle)
    assert "VIRTUAL_ENV" not in env


def test_wheel_comes_from_an_index_with_a_password_that_no_message_shows(tmp_path: Path, port: int) -> None:
    config = alone(tmp_path, PIP_INDEX_URL=f"http://user:pa%20ss@127.0.0.1:{port}/private/simple", no_proxy="*")
    content, source = uv_wheel._fetch(NAME, DIGEST, config)
    assert content == CONTENT
    assert "pa%20ss" not in pip_config.without_password(source)


def test_wheel_comes_through_the_configured_proxy(tmp_path: Path, port: int) -> None:
    config = alone(tmp_path, PIP_INDEX_URL="http://index.invalid/simple", PIP_PROXY=f"http://127.0.0.1:{port}")
    assert uv_wheel._fetch(NAME, DIGEST, config)[0] == CONTENT
    assert Index.seen[0] == "http://index.invalid/simple/uv/"


def test_wheel_comes_from_a_directory_without_any_network(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    config = alone(tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert uv_wheel._fetch(NAME, DIGEST, config)[0] == CONTENT


def test_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"something else")
    config = alone(tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    with pytest.raises(uv_wheel.FetchError, match="expected"):
        uv_wheel._fetch(NAME, DIGEST, config)


def test_failure_names_each_source_and_the_variable_that_chose_it(tmp_path: Path, port: int) -> None:
    config = alone(
        tmp_path, PIP_INDEX_URL=f"http://127.0.0.1:{port}/private/simple", PIP_FIND_LINKS=str(tmp_path)
    )
    with pytest.raises(uv_wheel.FetchError) as raised:
        uv_wheel._fetch(NAME, DIGEST, config)
    assert f"http://127.0.0.1:{port}/private/simple/uv/ (PIP_INDEX_URL): HTTP Error 401" in str(raised.value)
    assert f"{tmp_path} (PIP_FIND_LINKS): does not have {NAME}" in str(raised.value)


def test_needs_neither_pip_nor_site_packages() -> None:
    code = "import sys; sys.path.insert(0, 'scripts'); import bootstrap, pip_config, uv_wheel"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True)
