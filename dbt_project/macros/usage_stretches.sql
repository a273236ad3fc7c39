{# A select: each span of int_usage_spans up to as_of, numbered. From `from_day` on none of its days is in the table yet;
   before it they are, and some of them may be revised. Of a customer's meter that changed, all days are made anew. #}
{% macro usage_stretches() -%}
    select
        spans.*,
        row_number() over (order by spans.account_id, spans.subscription_item_id, spans.first_day) as stretch,
        least(spans.last_day, as_of.as_of) as to_day,
        {% if is_incremental() -%}
            case
                when changed.account_id is null and reached.account_id is not null
                    then greatest(spans.first_day, reached.as_of + 1)
                else spans.first_day
            end
        {%- else -%}
            spans.first_day
        {%- endif %} as from_day
    from {{ ref('int_usage_spans') }} as spans
    inner join {{ ref('int_as_of') }} as as_of
        on spans.account_id = as_of.account_id
    {% if is_incremental() -%}
        left join (
            select
                account_id,
                max(as_of) as as_of
            from {{ usage_read() }}
            group by account_id
        ) as reached
            on spans.account_id = reached.account_id
        left join ({{ usage_groups_changed() }}) as changed
            on {{ same_keys('spans', 'changed', ['account_id', 'customer_id', 'meter_id']) }}
    {%- endif %}
{%- endmacro %}
