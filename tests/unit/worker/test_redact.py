from ao.worker.redact import MARK, Redactor

SECRET = "correct-horse"


def test_a_secret_that_was_cut_in_two_leaves_nothing() -> None:
    redact = Redactor([SECRET])
    for size in range(4, len(SECRET) + 1):
        assert redact.beginning(f"it is {SECRET[:size]}") == f"it is {MARK}"
    assert redact.beginning("it is cor") == "it is cor"


def test_the_longest_beginning_counts() -> None:
    assert Redactor(["aaaaab", "aaaac"]).beginning("-aaaaa") == f"-{MARK}"


def test_a_secret_is_found_as_literals_spell_it() -> None:
    secret = 'say "hi"\nänd\\bye'
    redact = Redactor([secret])
    for text in (repr(secret), repr(f"x{secret}x"), '"say \\"hi\\"\\n\\u00e4nd\\\\bye"', secret):
        assert "hi" not in redact(text)
        assert "bye" not in redact(text)


def test_every_text_in_a_value_is_looked_at() -> None:
    value = {"a": [1, None, True, 2.5, {SECRET: f"<{SECRET}>"}]}
    assert Redactor([SECRET]).value(value) == {"a": [1, None, True, 2.5, {MARK: f"<{MARK}>"}]}
    assert Redactor([]).value(value) is value
