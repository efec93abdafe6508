"""The commands, a file for each group. Importing them must stay cheap: Temporal is imported when one runs."""
