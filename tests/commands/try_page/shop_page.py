"""The page of a small shop, with two models: `python -m tests.commands.try_page.shop_page CACHE`."""

from __future__ import annotations

import sys
from pathlib import Path

from babelshelf.commands.try_page.page import TryPage
from babelshelf.tables.calibration import Calibration
from babelshelf.web.server import serve
from tests.helpers.trial_data import model, trial

if __name__ == "__main__":
    calibrated = model(calibration=Calibration(0.45, {"ar": 0.95}))
    tried = trial(Path(sys.argv[1]), calibrated, model("models/b", shift=0.3))
    serve(lambda: TryPage(tried).show(), title="Try", port=0, open_browser=False)
