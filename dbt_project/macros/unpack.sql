{# The one place where JSON is parsed: `payload` becomes a typed struct in one pass.

   structure: a mapping of field to DuckDB type, nested as the payload is; fields it does not name are left alone,
   named fields that the payload lacks, or that do not fit their type, come out null. #}
{% macro unpack(payload, structure) -%}
    {{ adapter.dispatch('unpack', 'meterwise')(payload, structure) }}
{%- endmacro %}

{% macro default__unpack(payload, structure) -%}
    from_json({{ payload }}, '{{ structure | tojson }}')
{%- endmacro %}

{# How SQL reaches what `unpack` made of a structure: a mapping nested as the structure is, each leaf an expression over
   the column `path`. a model sets `object = fields(structure)` and says
   `object.recurring.interval`; a field called as one of a mapping's own methods (items, values, keys, update, …) is
   object['items']. A list is one leaf. #}
{% macro fields(structure, path='object') -%}
    {{ return(adapter.dispatch('fields', 'meterwise')(structure, path)) }}
{%- endmacro %}

{% macro default__fields(structure, path) -%}
    {%- set found = {} -%}
    {%- do note_fields(structure, path, found) -%}
    {{ return(found) }}
{%- endmacro %}

{# Adds to the mapping `found` (a macro of the same file cannot return a mapping to another in sqlfluff). #}
{% macro note_fields(structure, path, found) -%}
    {%- for field, shape in structure.items() -%}
        {%- set place = path ~ '.' ~ quoted_where_reserved(field) -%}
        {%- do found.update({field: {} if shape is mapping else place}) -%}
        {%- if shape is mapping -%} {%- do note_fields(shape, place, found[field]) -%} {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# Words of SQL that Stripe uses as names of fields. #}
{% macro quoted_where_reserved(field) -%}
    {{ '"' ~ field ~ '"' if field in ('default', 'desc', 'end', 'from', 'group', 'limit', 'order', 'to', 'user') else field }}
{%- endmacro %}

{# The id in an expandable field: Stripe sends the id alone, or the whole object when it was asked to expand. #}
{% macro id_of(field) -%}
    {{ adapter.dispatch('id_of', 'meterwise')(field) }}
{%- endmacro %}

{% macro default__id_of(field) -%}
    case when starts_with({{ field }}, '{') then json_extract_string({{ field }}, '$.id') else {{ field }} end
{%- endmacro %}

{# Stripe's unix seconds as a UTC timestamp without zone. #}
{% macro from_epoch(seconds) -%}
    {{ adapter.dispatch('from_epoch', 'meterwise')(seconds) }}
{%- endmacro %}

{% macro default__from_epoch(seconds) -%}
    make_timestamp(1000000 * cast({{ seconds }} as bigint))
{%- endmacro %}
