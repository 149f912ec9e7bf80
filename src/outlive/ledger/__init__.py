"""The ledger: quotas, budgets, the book of model calls, cached responses, contents, streams and approvals.

A small service of its own: it knows nothing of the workflow server, and runs inside it or alone.
"""
