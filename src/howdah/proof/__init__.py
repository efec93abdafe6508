"""The proof: experiments run at a site while things break around them, and a ledger outside howdah is the judge."""
