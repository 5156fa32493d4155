"""The pictures of docs/images, of a `dev` that runs on the demo's data: `make pictures` while `make dev` runs.

Its churches are the simulator's, so that no picture shows a real person.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from openfaith_pipeline_tests.acceptance.dagster.browser import FLAGS, find_chromium
from openfaith_pipeline_tests.generated_docs import DEMO_ORG, DOCS

IMAGES: Final = DOCS / "images"
MOST_BYTES: Final = 150_000
_PATIENCE_MILLISECONDS: Final = 90_000
_SETTLED_MILLISECONDS: Final = 4_000
"""Dagster draws its graphs, and fills its tables, after the page is there."""

ASSET: Final = "pco_people/people"


@dataclass(frozen=True)
class Picture:
    """A page to be shown. seen: a text that is on it once it is whole."""

    name: str
    path: str
    seen: str
    width: int = 1280
    height: int = 800
    scheme: Literal["light", "dark"] = "light"


OF_STATUS: Final = (Picture("demo-church", f"/orgs/{DEMO_ORG}", "Request budget", height=860, scheme="dark"),)
OF_DAGSTER: Final = (
    Picture("dagster-lineage", "/assets/openfaith/emails?view=lineage&lineageScope=neighbors", "emails", width=1440),
    Picture("dagster-partitions", f"/assets/{ASSET}?view=partitions&partition={DEMO_ORG}", "rows", width=1440),
    Picture("dagster-checks", f"/assets/{ASSET}?view=checks", "Checks", width=1440),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", default="http://127.0.0.1:3020", help="where the service of `dev` is")
    parser.add_argument("--dagster", default="http://127.0.0.1:3000", help="where its Dagster is")
    parser.add_argument("--only", default="", help="pictures whose name has this in it")
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args(arguments)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        for base, pictures in ((options.service, OF_STATUS), (options.dagster, OF_DAGSTER)):
            for picture in pictures:
                if options.only in picture.name:
                    _take(browser, base, picture, options.out)
        browser.close()


def _take(browser: Browser, base: str, picture: Picture, out: Path) -> None:
    with _opened(browser, base, picture) as page:
        page.goto(picture.path)
        page.get_by_text(picture.seen).first.wait_for()
        if picture in OF_DAGSTER:
            page.wait_for_timeout(_SETTLED_MILLISECONDS)
        _keep(page, picture.name, out)


@contextmanager
def _opened(browser: Browser, base: str, picture: Picture) -> Iterator[Page]:
    context = browser.new_context(
        base_url=base,
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
    )
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MILLISECONDS)
    yield page
    context.close()


def _keep(page: Page, name: str, out: Path) -> None:
    target = out / f"{name}.png"
    size = len(page.screenshot(path=target))
    sys.stdout.write(f"{target}: {size // 1000} kB\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{target} has more than {MOST_BYTES // 1000} kB: show less of the page")


if __name__ == "__main__":
    main()
