{# What an incremental model of daily usage had read when it was last built: the spans of items that it was made of, the
   day it reached (of an account without items too), and the place in the raw usage. It is written by the model's own
   transaction (a table of its own, <model>_read beside int_usage_spans), so that the two never differ, whatever breaks
   off and when.

   A model that uses it has the columns account_id, customer_id, meter_id and usage_date, reads int_usage_spans,
   int_as_of and stg_stripe__meter_usage, and is configured with the hooks prepare_usage_read, forget_usage_changed and
   remember_usage_read. #}
{% macro usage_read() -%}
    {{ ref('int_usage_spans') | string | replace('int_usage_spans', this.identifier ~ '_read') }}
{%- endmacro %}

{% macro span_columns() -%}
    account_id, subscription_item_id, subscription_id, customer_id, meter_id, meter_event_name, price_id, currency,
    first_day, last_day, counted_from
{%- endmacro %}

{# A select: the customers' meters of which a span is not as it was. All their days are made anew. #}
{% macro usage_groups_changed() -%}
    {%- set columns = span_columns() -%}
    select distinct
        account_id,
        customer_id,
        meter_id
    from (
        (select {{ columns }} from {{ ref('int_usage_spans') }} except select {{ columns }} from {{ usage_read() }})
        union all
        (select {{ columns }} from {{ usage_read() }} except select {{ columns }} from {{ ref('int_usage_spans') }})
    ) as spans_changed
{%- endmacro %}

{# A select: the usage by day that was not read before as it is now, or whose day was not reached, or whose customer's
   meter changed; all of it where there is nothing to add to. One condition each: together they would scan all columns. #}
{% macro usage_unread() -%}
    {%- set usage -%}
        select
            {{ columns_of('meter_usage', ['account_id', 'customer_id', 'meter_id', 'usage_date']) }},
            -- one that no price rates (data_quality counts it)
            coalesce(meter_usage.quantity, 0) as quantity
        from {{ ref('stg_stripe__meter_usage') }} as meter_usage
    {%- endset -%}
    {{ usage }}
    {% if is_incremental() %}
        where meter_usage.last_position > (select coalesce(max(usage_position), -1) from {{ usage_read() }})
        union
        {{ usage }}
        where meter_usage.revised_at > (
            select coalesce(max(usage_revised_at), timestamp '0001-01-01 00:00:00') from {{ usage_read() }}
        )
        union
        {{ usage }}
        where meter_usage.usage_date > (select coalesce(min(as_of), date '0001-01-01') from {{ usage_read() }})
        union
        {{ usage }}
        inner join ({{ usage_groups_changed() }}) as changed
            on {{ same_keys('meter_usage', 'changed', ['account_id', 'customer_id', 'meter_id']) }}
    {% endif %}
{%- endmacro %}

{# Before the build: what cannot be said by a key is deleted, days that are gone: of items that changed, and after as_of.
   Where it is not known what was read, everything. #}
{% macro forget_usage_changed() %}
    {% if is_incremental() %}
        delete from {{ this }}
        where (select count(*) from {{ usage_read() }}) = 0;

        delete from {{ this }}
        where exists (
            select 1
            from ({{ usage_groups_changed() }}) as changed
            where {{ same_keys('changed', this.identifier, ['account_id', 'customer_id', 'meter_id']) }}
        );

        delete from {{ this }}
        where
            usage_date > (select min(as_of) from {{ ref('int_as_of') }})
            and exists (
                select 1
                from {{ ref('int_as_of') }} as as_of
                where
                    as_of.account_id = {{ this.identifier }}.account_id
                    and as_of.as_of < {{ this.identifier }}.usage_date
            )
    {% endif %}
{% endmacro %}

{% macro prepare_usage_read() %}
    {% if not is_incremental() %}drop table if exists {{ usage_read() }};{% endif %}
    create table if not exists {{ usage_read() }} as
    {{ usage_as_read() }}
    limit 0
{% endmacro %}

{% macro usage_as_read() -%}
    select
        as_of.account_id,
        {{ columns_of('spans', span_columns().replace('\n', '').replace(' ', '').split(',')[1:]) }},
        as_of.as_of,
        (select max(last_position) from {{ ref('stg_stripe__meter_usage') }}) as usage_position,
        (select max(revised_at) from {{ ref('stg_stripe__meter_usage') }}) as usage_revised_at
    from {{ ref('int_as_of') }} as as_of
    left join {{ ref('int_usage_spans') }} as spans
        on as_of.account_id = spans.account_id
{%- endmacro %}

{% macro remember_usage_read() %}
    delete from {{ usage_read() }};
    insert into {{ usage_read() }}
    {{ usage_as_read() }}
{% endmacro %}
