"""The life of a refund, one file a stage: intake, dispatch, attempt, settle, notify.

Beside them: sweep (lost leases and wake-ups), resolve (look-ups), operate (people).
"""
