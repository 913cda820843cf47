"""The bodies of the commands that are no worker."""
