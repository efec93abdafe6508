"""Words of others, so that they can be kept and sent: a login shell may greet in Latin-1, and at any length."""


def fitted(text: str, most: int) -> str:
    """Valid Unicode, of bounded length, its beginning and its end."""
    if not text.isascii():
        text = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text if len(text) <= most else f"{text[: most // 2]}\n...\n{text[-most // 2 :]}"
