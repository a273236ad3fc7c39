"""Exports of invoices or their lines that Stripe wrote (Sigma, Reporting, the Dashboard): CSV into schema raw_exports.

They are the second opinion on what was loaded through the API: mart fct_export_reconciliation ties one to the other.
Amounts land as the text they are; what they are worth in minor units is for dbt, which knows the currencies.

header.py recognises a file by its columns, rows.py reads it, tables.py is the schema, run.py the whole command.
"""

from dlt_pipelines.exports.run import land_exports

__all__ = ["land_exports"]
