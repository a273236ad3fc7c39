"""Batches into the warehouse through dlt: append-only tables of fixed columns, and the source's state beside them."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb

from dlt_pipelines.context import Batch
from dlt_pipelines.dlt_settings import imported_dlt
from dlt_pipelines.errors import LoaderError, WarehouseFailed
from dlt_pipelines.rows import STAMP
from dlt_pipelines.settings import Settings
from dlt_pipelines.state import Cursors, from_state, to_state
from dlt_pipelines.warehouse import SCHEMA, explain

PIPELINE, SOURCE = "meterwise_stripe", "stripe"
# DuckDB's share of memory in MB, beside Python's 200: without a limit an insert of a million objects takes over 1 GB.
# It grows with the widest rows, since DuckDB holds so many values of a column at once.
MEMORY, HELD = 128, 2_048
# New tables may come, a column of another type may not: what is landed is fixed in rows.py.
CONTRACT = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}


class Landing:
    """Appends batches to the schema raw_stripe; each `append` is one load package of dlt, in one piece or not at all.

    What a killed load left in dlt's folder is dropped, packages half loaded included: their rows are fetched again,
    what did land is known by its hash, and dlt finds its schema and state in the warehouse.
    """

    def __init__(self, settings: Settings, connection: duckdb.DuckDBPyConnection, tables: set[str], torn: bool) -> None:
        self._settings, self._tables, self._dlt = settings, set(tables), imported_dlt()
        self._connection, self._widest = connection, 0
        self._make_room(0)
        self._pipeline = self._begun(torn)
        if self._pipeline.has_pending_data:  # dlt would land that, and drop what it is given
            self._pipeline = self._begun(torn=True)

    def cursors(self, finished: datetime | None) -> Cursors:
        """What the last finished load left, whose rows are stamped `finished`: dlt's state in the warehouse.

        dlt prefers its own folder where that is ahead. It is when somebody puts an older warehouse back, and then what
        came between the two would never be read: only cursors that the report in the warehouse bears out are taken.
        """
        cursors = self._cursors()
        if cursors.stamp != finished:
            self._pipeline = self._begun(torn=True)
            cursors = self._cursors()
        is_known = cursors.stamp is not None and finished is not None and cursors.stamp <= finished
        return cursors if is_known else Cursors()

    def _cursors(self) -> Cursors:
        self._pipeline.sync_destination()
        return from_state(self._pipeline.state.get("sources", {}).get(SOURCE, {}))

    def _begun(self, torn: bool) -> Any:
        """dlt's pipeline; torn: without what its folder holds."""
        folder, dlt = self._settings.dlt, self._dlt
        if torn and (folder / PIPELINE).exists():
            try:
                shutil.rmtree(folder / PIPELINE)
            except OSError as error:
                raise explain(folder / PIPELINE, error) from error
        return dlt.pipeline(
            PIPELINE,
            destination=dlt.destinations.duckdb(self._connection),
            dataset_name=SCHEMA,
            pipelines_dir=str(folder),
        )

    def append(self, steps: dict[str, Iterator[Batch]], cursors: Cursors | None = None) -> None:
        """Append batches, one resource per name, in order; with `cursors`, they become the state in the same package.

        Raises a LoaderError, of a reader or in DuckDB's or dlt's own words, and KeyboardInterrupt.
        """
        from dlt.common.runtime import signals

        dlt = self._dlt

        @dlt.source(name=SOURCE)  # type: ignore[untyped-decorator] # dlt is read without types
        def stripe() -> Any:
            for name, batches in steps.items():
                yield dlt.resource(
                    self._rows(batches, cursors), name=name, write_disposition="append", schema_contract=CONTRACT
                )

        try:
            with signals.intercepted_signals():  # dlt does so itself, but forgets a Ctrl-C that comes between two steps
                self._pipeline.run(stripe())
                if cursors is None:  # else the load is finished
                    signals.raise_if_signalled()
        except Exception as error:
            raise self._cause(error) from error

    def _rows(self, batches: Iterator[Batch], cursors: Cursors | None) -> Iterator[Any]:
        dlt, hinted = self._dlt, set()
        if cursors is not None:
            dlt.current.source_state().update(to_state(cursors))
        for table, arrow in batches:
            if not arrow.num_rows and table in self._tables:
                continue
            if arrow.num_rows and "payload" in arrow.column_names:
                self._make_room(arrow.column("payload").nbytes // arrow.num_rows)
            if table in hinted:
                yield dlt.mark.with_table_name(arrow, table)
                continue
            hinted.add(table)
            self._tables.add(table)
            # Unless told so, dlt makes every timestamp one with a zone.
            columns = [{"name": field.name, "timezone": False} for field in arrow.schema if field.type == STAMP]
            hints = dlt.mark.make_hints(table_name=table, write_disposition="append", columns=columns)
            yield dlt.mark.with_hints(arrow, hints, create_table_variant=True)

    def _make_room(self, width: int) -> None:
        """Let DuckDB use as much memory as rows need whose payloads have `width` bytes in the mean."""
        if width > self._widest or not width:
            self._widest = max(width, self._widest)
            megabytes = MEMORY + -(-HELD * self._widest // 2**20)
            self._connection.execute(f"set memory_limit = '{megabytes}MB'")

    def _cause(self, error: BaseException) -> LoaderError | KeyboardInterrupt:
        """What dlt wrapped: a refusal of ours or Ctrl-C as it was, else DuckDB's or dlt's own words in one sentence."""
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, LoaderError | KeyboardInterrupt):
                return inner
            if isinstance(inner, duckdb.Error | OSError):
                return explain(self._settings.warehouse, inner)
            root, inner = inner, inner.__cause__ or inner.__context__
        said = str(root).splitlines() or ["it gave no reason"]
        return WarehouseFailed(
            f"dlt could not land the rows ({type(root).__name__}: {said[0]}); run the load again, and if it repeats "
            f"remove {self._settings.dlt}: it holds nothing that is not loaded again."
        )
