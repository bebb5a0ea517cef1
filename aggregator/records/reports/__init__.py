"""Reports for people, from records: what the market offered, how orders fared, how far venues can be relied on."""
