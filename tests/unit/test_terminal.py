"""Text for terminals, as a page shows it."""

import pytest

from ao.domain.terminal import Style, plain, styled


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("just text", "just text"),
        ("\x1b[1;31merror\x1b[0m: no", "error: no"),
        ("10%\r20%\r30%", "30%"),
        ("\x1b[2K\x1b[1Gspinner", "spinner"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 and nul\x00", "bell and nul"),
        ("tab\tstays", "tab\tstays"),
        ("漢字 🎉", "漢字 🎉"),
        ("cut off \x1b[3", "cut off 3"),
    ],
)
def test_plain_is_what_a_terminal_shows(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_pieces_have_the_style_that_was_set_before_them() -> None:
    assert list(styled("a\x1b[1;31mb\x1b[22mc\x1b[0md")) == [
        (Style(), "a"),
        (Style("red", bold=True), "b"),
        (Style("red"), "c"),
        (Style(), "d"),
    ]


@pytest.mark.parametrize(
    ("codes", "style"),
    [
        ("92", Style("bright-green")),
        ("44", Style(background="blue")),
        ("38;5;9", Style("bright-red")),
        ("38;5;196", Style("#ff0000")),
        ("38;5;244", Style("#808080")),
        ("48;2;1;2;300", Style(background="#0102ff")),
        ("38:2:10:20:30", Style("#0a141e")),
        ("38;2;1", Style()),
        ("38", Style()),
        ("38;5;999", Style("#ffffff")),
        ("2;3;4;9", Style(dim=True, italic=True, underline=True, struck=True)),
        ("31;39", Style()),
        ("", Style()),
    ],
)
def test_colours_and_weights(codes: str, style: Style) -> None:
    assert list(styled(f"\x1b[{codes}mx")) == [(style, "x")]


def test_equal_styles_make_one_piece() -> None:
    assert list(styled("\x1b[31ma\x1b[31mb\x1b[Kc")) == [(Style("red"), "abc")]
