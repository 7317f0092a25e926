"""What the outside decides: settings and logging. Read by the entrances and bootstrap alone."""
