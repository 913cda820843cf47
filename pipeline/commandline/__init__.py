"""The command line as data, read from argparse, for whoever describes it.

tree.py        every command, argument and option
completion.py  scripts for bash, zsh and fish
reference.py   the generated page
"""
