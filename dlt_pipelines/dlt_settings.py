"""dlt, told what must hold wherever a command is started: .dlt/config.toml is only found from the repository root."""

import os
from typing import Any

# .dlt/config.toml says why.
DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "WARNING",
    "EXTRACT__NEXT_ITEM_MODE": "fifo",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__WORKERS": "1",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "1",
}


def imported_dlt() -> Any:
    """The module dlt; imported by those who need it, because that takes more than a second.

    The settings come first: the first thing that dlt does, even to look up a setting, is to begin its telemetry.
    """
    os.environ.update({name: value for name, value in DLT_SETTINGS.items() if name not in os.environ})
    import dlt

    return dlt
