"""SailPoint's Python SDK 2.x, which has one family; fixtures and most tests are shared with 1.x."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "sailpoint_common"), str(HERE.parent.parent / "support")]
pytest.register_assert_rewrite("fixtures", "dialect")
from fixtures import *

PACKAGE, MOUNT = "sailpoint.personal_access_tokens", "/personal-access-tokens/v1"


@pytest.fixture(scope="session", params=["shared client", "service's client"])
def family(request):
    """`from sailpoint import ApiClient`, which the package's documentation prefers, and the client of one service."""
    return Family(PACKAGE, MOUNT, True, "_v1", "sailpoint" if request.param == "shared client" else None)
