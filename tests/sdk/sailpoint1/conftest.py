"""The families of SailPoint's Python SDK 1.x; fixtures and most tests are shared with 2.x."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "sailpoint_common"), str(HERE.parent.parent / "support")]
pytest.register_assert_rewrite("fixtures", "dialect")
from fixtures import *

FAMILIES = {"beta": False, "v3": False, "v2024": False, "v2025": True}


def named(name):
    return Family(f"sailpoint.{name}", f"/{name}/personal-access-tokens", FAMILIES[name])


@pytest.fixture(scope="session", params=FAMILIES)
def family(request):
    return named(request.param)


@pytest.fixture(scope="session")
def families():
    return [named(name) for name in FAMILIES]
