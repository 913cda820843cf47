"""Where messages come from: each feed owns its lanes and meets the rest only through delivery.py."""
