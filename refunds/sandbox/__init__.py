"""The sandbox gateway: a small payment platform over HTTP, with a ledger of its own, that fails on order."""
