"""Mail about refunds: content (facts in, one mail out) and delivery (channels). The only SMTP."""
