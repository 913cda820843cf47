"""`headrace check`: what a configuration will do; with --connect, what the world says to it."""
