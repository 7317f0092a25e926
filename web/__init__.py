"""Entrance over HTTP: parse, call one flow function, answer."""
