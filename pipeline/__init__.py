"""Headrace's engine: one direction, every hop a stage that takes a batch; it knows no vendor.

feeds/ -> route -> decode -> normalise -> publish -> the lane. The map, the invariants and the review list are in
README.md beside this file; why things are as they are is in DECISIONS.md.
"""
