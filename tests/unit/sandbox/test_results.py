"""What an agent returns, held against what can be kept."""

import pytest

from ao_runner import protocol, results
from ao_runner.task import Failure


def test_a_result_is_as_large_as_it_is_in_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_VALUE_BYTES", 1000)
    for fits in ("x" * 998, "é" * 499, ["ü"] * 199, {"a": "漢" * 300}):
        assert results.text_of(fits, "step")
    for large in ("x" * 999, "é" * 500, "\ud800" * 400):
        with pytest.raises(Failure) as caught:
            results.last(None, large)  # type: ignore[arg-type]
        assert "result is 1,0" in str(caught.value) or "result is 1,2" in str(caught.value)
        assert caught.value.fields["permanent"]
