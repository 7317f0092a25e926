"""Entrance: the worker process. Pumps work the lanes; dramatiq brings wake-ups and intake messages."""
