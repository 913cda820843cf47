"""Print the models' reference page, or write the `@context` documents: what is generated from the definitions."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from pipeline.models import MODELS
from pipeline.models.context import documents, text
from pipeline.reference.models import reference

if __name__ == "__main__":
    if sys.argv[1:] == ["--contexts"]:
        folder = Path(str(files("pipeline.models"))) / "contexts"
        for name, document in documents(MODELS.values()).items():
            (folder / name).write_text(text(document), encoding="utf-8")
    else:
        sys.stdout.write(reference(MODELS.values()))
