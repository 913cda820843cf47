"""The configuration: read once, every error at once.

loading.py             the file to a Config, or to all that is wrong with it; the JSON Schema
root.py                the whole; its parts: feeds.py, kafka.py, connectors.py, used_connectors.py
values.py              kinds of values: durations, sizes, addresses, topic filters
document.py            YAML with lines, duplicate keys and ${NAME}
diagnose.py            what pydantic says of one key, as findings
rules.py               what the sections must be to each other
judge_inline.py        inline connectors against the models; judge_connectors.py vendors'
connector_folders.py   connectors of `connector_paths`; extended.py what an operator adds to a vendor's
findings.py            one finding, and the report of all
devices.py             the device registry; device_rows.py, device_fields.py and device_text.py its rows and text
"""

from pipeline.config.loading import Config, Loaded, load, parse, read

__all__ = ["Config", "Loaded", "load", "parse", "read"]
