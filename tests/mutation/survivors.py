"""Mutants that may live, each with the reason: nothing that can be seen changes, or nothing that matters."""

from collections.abc import Mapping

ACCEPTED: Mapping[str, str] = {}
