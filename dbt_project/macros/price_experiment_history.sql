{# The history that says what a price experiment could find. #}

{# A select: all who ever paid a price that an experiment varies, with the day (`anchor`) up to which they are looked at. #}
{% macro past_payers(controls, sizes, prices, items, customers) %}
    select distinct
        {{ columns_of(controls, ['account_id', 'experiment_id', 'meter', 'primary_metric']) }},
        {{ items }}.customer_id,
        {{ sizes }}.anchor
    from {{ controls }}
    inner join {{ sizes }} on {{ same_keys(controls, sizes, ['account_id', 'experiment_id', 'variant']) }}
    inner join {{ prices }}
        on
            {{ same_keys(controls, prices, ['account_id']) }}
            and {{ controls }}.meter = {{ prices }}.meter_event_name
            and {{ controls }}.plan = coalesce({{ prices }}.plan, '')
    inner join {{ items }} on {{ same_keys(prices, items, ['account_id', 'price_id']) }}
    inner join {{ customers }}
        on
            {{ same_keys(items, customers, ['account_id', 'customer_id']) }}
            and coalesce({{ controls }}.segment = {{ customers }}.segment, {{ controls }}.segment is null)
{% endmacro %}

{# A select: usage by week (of experiments on usage) or bills (of those on revenue) of the year before each `anchor` of a
   relation, with the whole weeks from their start and their end to it. #}
{% macro history_in_weeks(anchored, daily_usage, invoices, keys) %}
    select
        {{ columns_of(anchored, keys) }},
        {{ whole_weeks(days_from(daily_usage ~ '.usage_date', anchored ~ '.anchor')) }} as start_back,
        {{ whole_weeks(days_from(daily_usage ~ '.usage_date', anchored ~ '.anchor')) }} as end_back,
        sum({{ daily_usage }}.quantity) as amount
    from {{ anchored }}
    inner join {{ daily_usage }}
        on
            {{ same_keys(anchored, daily_usage, ['account_id', 'customer_id']) }}
            and {{ anchored }}.meter = {{ daily_usage }}.meter_event_name
            and {{ daily_usage }}.usage_date between {{ anchored }}.anchor - 370 and {{ anchored }}.anchor
            and {{ anchored }}.primary_metric = 'usage'
    group by {{ columns_of(anchored, keys) }}, start_back
    union all
    select
        {{ columns_of(anchored, keys) }},
        {{ whole_weeks(days_from('cast(' ~ invoices ~ '.period_start as date)', anchored ~ '.anchor')) }} as start_back,
        {{ whole_weeks(days_from('cast(' ~ invoices ~ '.period_end as date)', anchored ~ '.anchor')) }} as end_back,
        {{ invoices }}.subtotal_minor - {{ invoices }}.discount_minor as amount
    from {{ anchored }}
    inner join {{ invoices }}
        on
            {{ same_keys(anchored, invoices, ['account_id', 'customer_id']) }}
            and cast({{ invoices }}.period_end as date) between {{ anchored }}.anchor - 370 and {{ anchored }}.anchor
            and {{ anchored }}.primary_metric = 'revenue'
{% endmacro %}
