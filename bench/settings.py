"""The tests' settings on a database of its own, which waits for the disk as production does."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

_base = DATABASES["default"]
_base["OPTIONS"]["options"] = _base["OPTIONS"]["options"].replace(" -c synchronous_commit=off", "")
_base["TEST"] = {"NAME": "senasa_bench"}
