{# Who may leave within churn_horizon_days(), by today's scores; who has cancelled already is asked by a person, if at all. #}
{% macro risks_ahead() %}
    select * from {{ ref('churn_risk') }}
    where
        is_current
        and horizon_days = {{ churn_horizon_days() }}
        and treatment != 'leaving'
{% endmacro %}

{# The share of those who would have left that an action keeps, as measured against customers held back by chance, of a
   `kind` of which enough of them were: a select of account_id, effect_low, effect, effect_high (80 %). Without a row
   the seed's assumption counts. #}
{% macro measured_effects(kind) %}
    select
        effects.account_id,
        {{ share_of('-effects.difference_high_80', 'effects.comparison_mean', 'decimal(9, 6)') }} as effect_low,
        {{ share_of('-effects.difference', 'effects.comparison_mean', 'decimal(9, 6)') }} as effect,
        {{ share_of('-effects.difference_low_80', 'effects.comparison_mean', 'decimal(9, 6)') }} as effect_high
    from {{ ref('action_effects') }} as effects
    inner join {{ ref('action_rules') }} as rules
        on
            effects.kind = rules.kind
            and rules.name = 'least_held_back'
            and effects.held_back_n >= rules.value
            and effects.treated_n >= rules.value
    where
        effects.kind = '{{ kind }}'
        and effects.month_start is null
        and effects.metric = 'churn_share'
        and effects.horizon_days = {{ churn_horizon_days() }}
        and effects.comparison = 'held_back'
        and effects.comparison_mean > 0
        and effects.difference_low_80 is not null
{% endmacro %}

{# The chance to be still a customer after `month` months, by the columns risk (of leaving within three months, as scored),
   base_rate (the same of customers in general, which is taken beyond those three) and felt_months, in which an action
   lowers the chance of leaving in each month by the share `effect`. #}
{% macro chance_to_stay(month, effect) -%}
    power(greatest(1 - (1 - power(1 - risk, {{ month_of_horizon() }})) * (1 - {{ effect }}), 0), least({{ month }}, felt_months, 3))
    * power(1 - risk, {{ month_of_horizon() }} * greatest(least({{ month }}, 3) - felt_months, 0))
    * power(
        greatest(1 - (1 - power(1 - base_rate, {{ month_of_horizon() }})) * (1 - {{ effect }}), 0),
        greatest(least({{ month }}, felt_months) - 3, 0)
    )
    * power(1 - base_rate, {{ month_of_horizon() }} * greatest({{ month }} - greatest(felt_months, 3), 0))
{%- endmacro %}

{# A select: per key of `relation`, over its months in the column `months`, the months of revenue that each of its columns
   effect_low, effect and effect_high keeps (kept…), and those within felt_months that are then billed (felt…). A month
   counts by the chance to be there in its middle. Decimals, so that their sum does not depend on the order of rows. #}
{% macro retained_months(relation, key, months) %}
    select
        account_id,
        {{ key }},
        {% for suffix in ['_low', '', '_high'] -%}
            sum(stay{{ suffix }} - stay_without) as kept{{ suffix }},
            sum(case when month_number <= felt_months then stay{{ suffix }} else 0 end)
                as felt{{ suffix }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        select
            account_id,
            {{ key }},
            month_number,
            felt_months,
            {% for name, effect in [
                ('stay_without', '0'), ('stay_low', 'effect_low'), ('stay', 'effect'), ('stay_high', 'effect_high'),
            ] -%}
                cast(
                    0.5 * ({{ chance_to_stay('(month_number - 1)', effect) }})
                    + 0.5 * ({{ chance_to_stay('month_number', effect) }})
                    as decimal(18, 9)
                ) as {{ name }}{{ ',' if not loop.last }}
            {% endfor %}
        from (
            select
                *,
                {{ numbers_between('1', months) }} as month_number
            from {{ relation }}
        ) as one_per_month
    ) as months_ahead
    group by
        account_id,
        {{ key }}
{% endmacro %}

{# The chance that a spike is no ordinary usage: of how far beyond the threshold its strongest evidence is (1 is the
   threshold) and whether more than one day was unusual. Fitted once to the truth of two sandboxes (default company, seeds 7
   and 11), not to the companies that it is measured on; the account's own reviews correct it (int_kind_precision). #}
{% macro chance_of_spike(score, unusual_days) -%}
    1 - {{ share_of(
        '1',
        '(1 + exp(2.9 + 1.8 * ln(greatest(' ~ score ~ ', 1) - 0.98) + case when ' ~ unusual_days ~ ' > 1 then 1.2 else 0 end))',
        'double'
    ) }}
{%- endmacro %}
