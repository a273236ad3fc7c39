{# How customers answer a price. #}

{# A select: low, mid and high of the seed elasticity_assumptions for each meter and segment ('' where a customer has
   none), of one response, usage or churn (for churn the meter is ''). The row that says most about them counts. #}
{% macro elasticities(response) %}

    select
        meter_event_name,
        segment,
        low,
        mid,
        high
    from (
        select
            wanted.meter_event_name,
            wanted.segment,
            given.low,
            given.mid,
            given.high,
            row_number() over (
                partition by wanted.meter_event_name, wanted.segment
                order by given.meter_event_name is null, given.segment is null, given.low, given.mid, given.high
            ) as place
        from (
            select distinct
                {{ "''" if response == 'churn' else 'meters.meter_event_name' }} as meter_event_name,
                coalesce(customers.segment, '') as segment
            from {{ ref('dim_customers') }} as customers
            {%- if response != 'churn' %}
                cross join {{ ref('stg_stripe__meters') }} as meters
            {%- endif %}
        ) as wanted
        inner join (
            select
                nullif(trim(meter_event_name), '') as meter_event_name,
                nullif(trim(segment), '') as segment,
                {{ cast_or_null('trim(low)', 'decimal(9, 6)') }} as low,
                {{ cast_or_null('trim(mid)', 'decimal(9, 6)') }} as mid,
                {{ cast_or_null('trim(high)', 'decimal(9, 6)') }} as high
            from {{ ref('elasticity_assumptions') }}
            where trim(response) = '{{ response }}'
        ) as given
            on
                coalesce(wanted.meter_event_name = given.meter_event_name, true)
                and coalesce(wanted.segment = given.segment, true)
        where
            given.low <= given.mid and given.mid <= given.high
            and {{ 'given.low >= 0' if response == 'churn' else 'given.high <= 0' }}
    ) as ranked
    where place = 1

{% endmacro %}

{# A select: rows of elasticity_assumptions and contract_locks that say nothing. No number or no order, two rows for one
   thing, usage that rises with a price or odds of leaving that fall with one; a lock of nobody. #}
{% macro assumptions_unread() %}
    {%- set numbers = {} -%}
    {%- for bound in ('low', 'mid', 'high') -%}
        {%- do numbers.update({bound: cast_or_null('trim(' ~ bound ~ ')', 'decimal(9, 6)')}) -%}
    {%- endfor %}

    select {{ safe_text("concat_ws(',', response, meter_event_name, segment, low, mid, high)") }} as row_text
    from (
        select
            *,
            count(*) over (
                partition by trim(response), coalesce(trim(meter_event_name), ''), coalesce(trim(segment), '')
            ) as alike
        from {{ ref('elasticity_assumptions') }}
    ) as given
    where
        concat_ws('', response, meter_event_name, segment, low, mid, high) != ''
        and (
            alike > 1
            or not coalesce(
                {{ numbers.low }} <= {{ numbers.mid }}
                and {{ numbers.mid }} <= {{ numbers.high }}
                and case trim(response) when 'usage' then {{ numbers.high }} <= 0 when 'churn' then {{ numbers.low }} >= 0 end,
                false
            )
        )
    union all
    select {{ safe_text("concat_ws(',', locked_until, note)") }} as row_text
    from {{ ref('contract_locks') }}
    where
        coalesce(nullif(trim(customer_id), ''), nullif(trim(subscription_id), '')) is null
        and concat_ws('', locked_until, note) != ''

{% endmacro %}

{# A quantity after usage has answered: times (new / old marginal price, kept within a tenth and ten times)^elasticity. #}
{% macro answered_quantity(quantity, new_price, old_price, elasticity) -%}
    {{ cast_or_null(
        'cast(' ~ quantity ~ ' as decimal(38, 6)) * cast(coalesce(power(least(greatest(' ~ share_of(new_price, old_price, 'double') ~ ', 0.1), 10), '
        ~ elasticity ~ '), 1) as decimal(12, 9))',
        'decimal(18, 6)'
    ) }}
{%- endmacro %}

{# The monthly chance of leaving after a bill has changed: its odds times (after / before, kept within 0.25 and 4)^k; who
   paid nothing and now pays is at 4. #}
{% macro answered_churn(monthly_churn, after_minor, before_minor, k) -%}
    {%- set ratio = 'case when ' ~ after_minor ~ ' = ' ~ before_minor ~ ' then 1 when ' ~ before_minor ~ ' = 0 then 4 else '
        ~ 'least(greatest(' ~ share_of(after_minor, before_minor, 'double') ~ ', 0.25), 4) end' -%}
    {%- set times = 'power(' ~ ratio ~ ', ' ~ k ~ ')' -%}
    cast({{ share_of(
        'cast(' ~ monthly_churn ~ ' as ' ~ double_type() ~ ') * ' ~ times,
        '1 - ' ~ monthly_churn ~ ' + cast(' ~ monthly_churn ~ ' as ' ~ double_type() ~ ') * ' ~ times, 'double'
    ) }} as decimal(12, 9))
{%- endmacro %}

{# Whether a quantity lies in a tier. #}
{% macro is_in_tier(quantity, tiers) -%}
    ({{ quantity }} > {{ tiers }}.lower_bound or {{ tiers }}.tier_index = 1)
    and coalesce({{ quantity }} <= {{ tiers }}.upper_bound, true)
{%- endmacro %}
