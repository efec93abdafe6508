"""The contract: what travels between client, workflows and activities. Frozen, JSON-safe, no I/O, no clock.

Read in this order: `spec` (what a user writes), `job` (what is carried out), `states` and `causes`
(the closed lists), `batch` (what a site tells), `progress` (what is shown), `sites` (where jobs run).
"""
