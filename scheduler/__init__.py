"""Entrance: the scheduler process. One table of what ticks when; what is due, SQL says."""
