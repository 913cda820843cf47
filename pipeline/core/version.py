"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Return the version of the installed package, or `unknown` where it runs without being installed."""
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "unknown"
