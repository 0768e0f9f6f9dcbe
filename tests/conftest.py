"""For all tests: no deadline for an example. Machines are shared, and a slow moment is no defect."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
