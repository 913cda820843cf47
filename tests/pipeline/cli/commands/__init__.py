"""The commands, one test file each."""
