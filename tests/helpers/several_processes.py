"""The stages sft and dpo as a user runs them, in one process or several, on the tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from babelshelf.core.params import read
from tests.helpers import tiny_lm
from tests.helpers.profiles import NANO

ROOT = Path(__file__).parents[2]
ACCELERATE = ROOT / "profiles" / "accelerate"
PROMPT = ROOT / "prompts" / "short" / "qi.txt"
LORA = {"r": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear", "modules_to_save": []}
SCHEDULE = {"batch_size": 8, "learning_rate": 0.01, "embedding_learning_rate": 0.01, "epochs": 2.0}
CHANGED = {"precision": "fp32", "micro_batch_size": 2}


class Project:
    """A folder with params, rows and a base model, in which stages run."""

    def __init__(self, folder: Path, changed: dict[str, Any]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        params = read(NANO)
        shared = CHANGED | changed
        params["sft"] |= {"adapter": "lora", "lora": LORA, "max_length": 64} | shared
        params["dpo"] |= shared
        params["tasks"]["qi"] |= {"sft": SCHEDULE | {"steps": "none"}, "dpo": SCHEDULE | {"learning_rate": 0.003}}
        YAML().dump(params, folder / "params.yaml")
        (folder / "profiles").symlink_to(ROOT / "profiles")
        tiny_lm.rows().write_parquet(folder / "train.parquet")
        tiny_lm.save_base(folder / "base")

    def start(self, stage: str, configuration: str | Path = "one", *, out: str = "") -> subprocess.Popen[str]:
        """The stage, in a process group of its own; it writes to the folder `out`, by default of its name."""
        file = configuration if isinstance(configuration, Path) else ACCELERATE / f"{configuration}.yaml"
        environment = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
        return subprocess.Popen(
            [sys.executable, "-m", f"stages.{stage}", *self.arguments(stage, file, out or stage)],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def arguments(self, stage: str, accelerate: Path, out: str) -> list[str]:
        """Of the stage's command."""
        paths = {"train": "train.parquet", "base": "base", "out": out, "metrics": f"{out}.json", "curve": f"{out}.csv"}
        paths |= {"accelerate": str(accelerate)}
        paths |= {"model": "sft"} if stage == "dpo" else {"variant": "original", "prompt": str(PROMPT)}
        return ["qi", *(part for name, path in paths.items() for part in (f"--{name}", path))]

    def run(self, stage: str, configuration: str | Path = "one", *, out: str = "") -> tuple[int, str]:
        """Exit code and output of the stage."""
        process = self.start(stage, configuration, out=out)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output
