"""Text for XML, which cannot hold every character (XML 1.0, 2.2)."""

import re

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return the text without the characters that XML cannot hold."""
    return NOT_IN_XML.sub("", text)
