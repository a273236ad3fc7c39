"""Names and texts as DuckDB reads them, whatever is in them: for statements that take no parameters."""


def quoted(identifier: str) -> str:
    """A name of a column, table or schema."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """A literal."""
    return "'" + value.replace("'", "''") + "'"
