"""`ao_runner.session` where there is no AO: a plain value, with the same checks."""

from collections.abc import Iterator

import pytest

from ao_runner import session, step


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    session.reset()
    yield
    session.reset()


def test_it_remembers_until_it_is_reset() -> None:
    session.add("user", {"text": ("a", 1)})
    session.state.setdefault("seen", []).append("a")
    session.state["nested"] = {"n": 1}
    del session.state["nested"]
    (session.workspace / "file").write_text("x")
    assert session.messages == [{"role": "user", "content": {"text": ["a", 1]}}]
    assert (session.id, dict(session.state), session.messages[0].seq) == (None, {"seen": ["a"]}, 1)
    session.reset(state={"a": 1}, messages=[{"role": "user", "content": "hi"}])
    assert (session.state.copy(), len(session.messages)) == ({"a": 1}, 1)  # type: ignore[attr-defined]
    assert not list(session.workspace.iterdir())


def test_steps_write_as_anything_else() -> None:
    step.run("add", session.add, "user", "hi")
    assert [message["content"] for message in session.messages] == ["hi"]


@pytest.mark.parametrize("role", ["", "x" * 65, "a\nb", 7])
def test_a_role_is_a_short_text(role: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 printable characters"):
        session.add(role, "x")


def test_what_is_not_json_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"session\.state\.a is set"):
        session.state["a"] = {1}
    with pytest.raises(TypeError, match="is a text"):
        session.state[1] = 2  # type: ignore[index]
    with pytest.raises(TypeError, match="is a dict"):
        session.state = []
    with pytest.raises(ValueError, match="the content of a message is object"):
        session.add("user", object())
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        session.add("user", "x" * (1 << 20))
    assert session.messages == []
