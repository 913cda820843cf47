"""The life of one process: start, run, reload, drain, stop."""
