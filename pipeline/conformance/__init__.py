"""Proves a device connector: its examples, and what it does with unforeseen payloads.

proof.py       the whole, and the level that it reaches
bench.py       a connector with the real plans behind it, on a feed that does not exist
examples.py    each example becomes what it says
hostility.py   random payloads, truncations, time: only PayloadError comes out, and the same each time
formats.py     the same of a format of payloads, which no model is behind
"""

from pipeline.conformance.formats import FormatProof, prove_format
from pipeline.conformance.proof import LEVELS, ExampleFault, Proof, prove

__all__ = ["LEVELS", "ExampleFault", "FormatProof", "Proof", "prove", "prove_format"]
