"""`headrace devices add` and `import`: devices into the registry's file, each held against the rules of `check` first.

exports.py   what another system knows of its devices: ChirpStack, The Things Stack, `devices unknown`
register.py  which of them can be added, and why not the others; the file written, session keys beside it
"""

from pipeline.tools.enrol.exports import SOURCES, UNKNOWN, Newcomer, noted, plain_eui, read, stranger
from pipeline.tools.enrol.register import EnrolReport, described, enrol

__all__ = [
    "SOURCES",
    "UNKNOWN",
    "EnrolReport",
    "Newcomer",
    "described",
    "enrol",
    "noted",
    "plain_eui",
    "read",
    "stranger",
]
