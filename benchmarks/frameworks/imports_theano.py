"""Theano itself: does it still import?"""

import json

import theano

print(json.dumps({"versions": f"theano {theano.__version__}", "difference": 0.0}))
