"""The image, built once."""

import os

import pytest

from openfaith_pipeline_tests.acceptance.deploy.engine import IMAGE, ROOT, docker, done, need_engine


@pytest.fixture(scope="session")
def image() -> str:
    """Its name. DEPLOY_IMAGE names a built one, else it is built."""
    need_engine()
    if named := os.environ.get("DEPLOY_IMAGE"):
        return named
    done(docker("build", "--network", "host", "--tag", IMAGE, str(ROOT), seconds=1500))
    return IMAGE
