"""CNTK: does it still import?"""

import json

import cntk

print(json.dumps({"versions": f"cntk {cntk.__version__}", "difference": 0.0}))
