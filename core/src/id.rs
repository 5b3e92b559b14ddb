//! The names that AWS gives things: accounts, key ids, ARNs and aliases, parsed once.
//! Knows their grammar and nothing of what they stand for.
