"""What a record looks like: entity, headers, dead letter, device event."""
