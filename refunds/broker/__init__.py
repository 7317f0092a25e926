"""The broker: dramatiq on Redis, or in memory; it carries wake-ups and the intake messages, no truth."""
