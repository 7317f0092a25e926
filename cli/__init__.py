"""Entrance: the `moneyback` command. Each command parses, calls the flow, prints."""
