"""Usage logs: metering events that a team keeps in files, landed in minutes in the schema raw_usage.

Everything here is SQL over whole files in DuckDB, and does not go through dlt: dlt writes every row to a file of its
own before the destination reads it, and a hundred million rows in minutes leave no room for a second copy, let alone
for Python to see a row. What dlt users expect stays: settings in `.dlt/config.toml`, tables that only grow.

paths.py finds the files, shapes.py says how a file is read, fields.py turns fields into columns and says what is wrong
with a row, passes.py reads a batch three times and writes it once, tables.py is the schema, run.py the whole command.
"""

from dlt_pipelines.usage_log.run import land_usage_logs
from dlt_pipelines.usage_log.tables import ensure_tables

__all__ = ["ensure_tables", "land_usage_logs"]
