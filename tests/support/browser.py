"""Debian's Chromium without a window, and the one page that a test looks at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.support import toolchain

# No sandbox: in CI the tests are root, for whom Chromium has none. The rest keeps it from asking anybody anything.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (390, 844)


class Window:
    """One page, and what it should not do: complain in the console, and ask elsewhere than `origin`."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self._origin = origin
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text().strip()

    def terms(self, selector: str) -> dict[str, str]:
        """Read a list of terms and values."""
        names = self.page.locator(f"{selector} dt").all_inner_texts()
        return dict(zip(names, self.page.locator(f"{selector} dd").all_inner_texts(), strict=True))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith(f"{self._origin}/"):
            self.elsewhere.append(request.url)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser with a new, empty profile."""
    tool = toolchain.browser()
    environment: dict[str, str | float | bool] = {**os.environ, **tool.env}
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=tool.path, args=list(FLAGS), env=environment)
        try:
            yield started
        finally:
            started.close()


def open_window(browser: Browser, origin: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> Window:
    """Open the page at `origin`. scheme: light or dark."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    window = Window(page, origin)
    page.goto(f"{origin}/")
    return window
