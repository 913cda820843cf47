"""The configuration: read once, every error at once.

loading.py     the file to a Config, or to all that is wrong with it
root.py        the whole; feeds.py, kafka.py, connectors.py its parts; values.py what a value may be; secrets.py
formats.py     the formats of payloads, by name
document.py    YAML with lines, duplicate keys and ${NAME}
shape.py       pydantic's findings; rules.py, topic_rules.py what the parts must be to each other; inline.py connectors
findings.py    what is said to a person; sentences.py how
reference.py   the generated page; schema.py the JSON Schema
"""

from pipeline.config.loading import Config, Loaded, load, parse, read

__all__ = ["Config", "Loaded", "load", "parse", "read"]
