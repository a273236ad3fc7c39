{# What somebody pays of a monthly bill over `months`, the month of leaving included: S(0) + … + S(months - 1), with another
   probability of leaving in each of the first three months than later. Counts of months have six decimals, so that money
   is not multiplied by floating point. #}
{% macro bills_paid(bill_minor, leaves_at_first, leaves_later, months) -%}
    cast(round(cast({{ bill_minor }} as decimal(19, 0)) * cast(
        {{ months_stayed_after_a_change(leaves_at_first, leaves_later, months) }} as decimal(12, 6)
    )) as bigint)
{%- endmacro %}

{# In a select list: for each of `cases` (name to the exponent of the bill's ratio and the case of usage) the probability of
   leaving in a month after the move, and what the move is worth then, of columns of int_plan_moves_valued. #}
{% macro move_leaves(cases) -%}
    {%- for name, (effect, usage) in cases.items() -%}
        {{ answered_churn('leaves_in_a_month', 'bill_minor + monthly_' ~ usage ~ '_minor', 'bill_minor', effect) }}
            as leaves_{{ name }}{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro move_values(cases) -%}
    {%- for name, (effect, usage) in cases.items() -%}
        {{ bills_paid('bill_minor + monthly_' ~ usage ~ '_minor', 'leaves_' ~ name, 'leaves_in_a_month', 'months') }}
        - {{ bills_paid('bill_minor', 'leaves_in_a_month', 'leaves_in_a_month', 'months') }}
        + cast(round(
            (monthly_{{ usage }}_minor - monthly_licensed_minor)
            * case when is_higher then elapsed_share else elapsed_share - 1 end
        ) as bigint) as {{ name }}_minor{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# A select: the quantity of each item of CTE `moves` on every draw of its basis in `paths` (1 and more), and in the last
   two periods of `settled` (-1, -2); draw 0 has what is licensed, the same on each. `columns` of moves are kept. #}
{% macro quantities_drawn(columns) -%}
    select
        {{ columns_of('moves', columns) }},
        0 as draw,
        cast(coalesce(moves.licensed_quantity, 1) as decimal(18, 6)) as quantity
    from moves
    where moves.usage_type != 'metered'
    union all
    select
        {{ columns_of('moves', columns) }},
        -- a run-rate stands for all the draws that there are not
        case when moves.basis = -1 then 1 else paths.path end as draw,
        paths.quantity
    from moves
    inner join paths
        on
            {{ same_keys('moves', 'paths', ['account_id', 'subscription_item_id']) }}
            and case
                when moves.basis = -1 then paths.period_number = 0 and paths.path = 0
                else paths.period_number = moves.basis and paths.path > 0
            end
    where moves.usage_type = 'metered'
    union all
    select
        {{ columns_of('moves', columns) }},
        closed.draw,
        closed.quantity
    from moves
    inner join (
        select
            account_id,
            subscription_item_id,
            quantity,
            -row_number() over (partition by account_id, subscription_item_id order by period_start desc) as draw
        from settled
    ) as closed
        on {{ same_keys('moves', 'closed', ['account_id', 'subscription_item_id']) }} and closed.draw >= -2
    where moves.usage_type = 'metered'
{%- endmacro %}
