"""Tables of the sandbox's ledger. Judges read them from outside: a change here is a change of interface."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    transaction_id        TEXT PRIMARY KEY,
    currency              TEXT NOT NULL,
    captured_minor        INTEGER NOT NULL,
    authorized_minor      INTEGER NOT NULL DEFAULT 0,
    refunded_before_minor INTEGER NOT NULL DEFAULT 0,
    disputed              INTEGER NOT NULL DEFAULT 0,
    voided                INTEGER NOT NULL DEFAULT 0,
    open                  INTEGER NOT NULL DEFAULT 0,  -- taken on at first sight, as captured without limit
    script                TEXT,                        -- JSON; NULL: the default script
    options               TEXT NOT NULL DEFAULT '{}'   -- JSON
) WITHOUT ROWID;

-- One row for each time money moved or was promised.
CREATE TABLE IF NOT EXISTS refund (
    id             TEXT PRIMARY KEY,  -- 'sre_...'
    transaction_id TEXT NOT NULL REFERENCES payment,
    reference      TEXT,              -- NULL: made by hand in the portal
    key            TEXT,
    kind           TEXT NOT NULL CHECK (kind IN ('refund', 'void')),
    amount_minor   INTEGER NOT NULL CHECK (amount_minor > 0),
    currency       TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('succeeded', 'pending', 'failed')),
    code           TEXT,
    created_at     TEXT NOT NULL,
    final_at       TEXT               -- NULL while pending
);
CREATE INDEX IF NOT EXISTS refund_of_payment ON refund (transaction_id);
CREATE INDEX IF NOT EXISTS refund_by_reference ON refund (reference);

-- One row for each money or look-up request.
CREATE TABLE IF NOT EXISTS request (
    id             INTEGER PRIMARY KEY,  -- Request-Id is 'req_' and this
    at             TEXT NOT NULL,
    method         TEXT NOT NULL,
    path           TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    reference      TEXT,
    key            TEXT,
    step           TEXT,                 -- what the script did to it
    moved          INTEGER NOT NULL,     -- 1: this very request moved or promised money
    status         INTEGER               -- NULL: closed without an answer
);
CREATE INDEX IF NOT EXISTS request_by_reference ON request (reference);

CREATE TABLE IF NOT EXISTS idempotency (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status      INTEGER,  -- NULL: still being processed
    body        TEXT,
    expires_at  TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS progress (
    transaction_id TEXT PRIMARY KEY,
    step           INTEGER NOT NULL,
    used           INTEGER NOT NULL,
    first_used_on  TEXT
) WITHOUT ROWID;

-- What happens by itself when the sandbox's clock gets there: a final status, or a late payout.
CREATE TABLE IF NOT EXISTS later (
    id           INTEGER PRIMARY KEY,
    due_at       TEXT NOT NULL,
    refund_id    TEXT,
    status       TEXT,
    code         TEXT,
    money_order  TEXT,  -- JSON
    CHECK ((refund_id IS NULL) <> (money_order IS NULL))
);
CREATE INDEX IF NOT EXISTS later_due ON later (due_at);

CREATE TABLE IF NOT EXISTS setting (
    only_row             INTEGER PRIMARY KEY CHECK (only_row = 1),
    clock_offset_seconds REAL NOT NULL DEFAULT 0,
    default_script       TEXT
);
INSERT OR IGNORE INTO setting (only_row) VALUES (1);
"""
