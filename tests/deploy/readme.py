"""The commands of the README, so that what is run here is what is written there."""

import re

from support import ROOT


def section(title):
    """The text of a section."""
    text = (ROOT / "README.md").read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title, language):
    """The fenced blocks of a section in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)


def command(title, start):
    """The one command of a section that starts like this."""
    lines = "".join(blocks(title, "sh")).splitlines()
    found = [line for line in lines if line.startswith(start)]
    assert len(found) == 1, f"{start}: {found}"
    return found[0]
