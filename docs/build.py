"""Write the API reference into `docs/api`: `python docs/build.py`, or `make docs`.

The public names are loaded when they are first used, so they are asked for first.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pdoc

import callbacks
import recipes

for package in (recipes, callbacks):
    vars(package).update({name: getattr(package, name) for name in package.__all__})
pdoc.render.configure(docformat="google")
pdoc.pdoc("recipes", "callbacks", output_directory=Path(__file__).with_name("api"))
