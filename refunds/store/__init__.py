"""The only SQL: tables, claims, settlement, queries, migrations, on SQLite and PostgreSQL alike."""
