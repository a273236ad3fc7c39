{# THE rule of stacked discounts (stripe.md 6.3): one after the other, each on what the ones before left. A percentage is
   rounded half up on each row; a fixed amount is spread over the rows that it is for, in proportion to what they have
   left, so that the shares sum to it.

   Gives CTEs, the last of them NAME_left: keys, subscription_item_id, bill and left_minor.

   name: prefix of the CTEs.
   amounts: a CTE with `keys`, `bill`, subscription_item_id and amount_minor (bigint).
   discounts: a CTE with `keys`, subscription_item_id (the row it is for), step (1, 2, … in the order of `keys`), and
       percent_off (decimal) or amount_off_minor (bigint).
   keys: the columns that both share besides subscription_item_id.
   bill: the columns that tell one bill from another: a fixed amount comes off each.
   most: steps that are counted. #}
{% macro discount_steps(name, amounts, discounts, keys, bill, most) -%}
    {%- set columns = keys + ['subscription_item_id'] + bill -%}
    {{ name }}_0 as (

        select
            {{ columns | join(',\n            ') }},
            amount_minor as left_minor
        from {{ amounts }}

    ),

    {% for step in range(1, most + 1) -%}
        {{ name }}_{{ step }}_meant as (

            select
                before.*,
                applied.percent_off,
                applied.amount_off_minor,
                sum(case when applied.step is not null then before.left_minor else 0 end) over (
                    partition by
                        {% for key in keys + bill -%}
                            before.{{ key }}{{ ',' if not loop.last }}
                        {% endfor -%}
                ) as whole_minor,
                sum(case when applied.step is not null then before.left_minor else 0 end) over (
                    partition by
                        {% for key in keys + bill -%}
                            before.{{ key }}{{ ',' if not loop.last }}
                        {% endfor -%}
                    order by before.subscription_item_id
                    rows between unbounded preceding and current row
                ) as running_minor
            from {{ name }}_{{ step - 1 }} as before
            left join {{ discounts }} as applied
                on
                    {% for key in keys -%}
                        before.{{ key }} = applied.{{ key }} and
                    {% endfor -%}
                    before.subscription_item_id = applied.subscription_item_id
                    and applied.step = {{ step }}

        ),

        {{ name }}_{{ step }} as (

            select
                {{ columns | join(',\n                ') }},
                cast({{ left_after_discount() }} as bigint) as left_minor
            from {{ name }}_{{ step }}_meant

        ),

    {% endfor -%}
    {{ name }}_left as (select * from {{ name }}_{{ most }})
{%- endmacro %}

{# What one step leaves of a row that has left_minor, percent_off or amount_off_minor, whole_minor and running_minor. #}
{% macro left_after_discount() -%}
    case
        when percent_off is not null
            then left_minor
                - {{ divide_half_up('cast(left_minor as decimal(38, 0)) * cast(percent_off * 1000000 as bigint)', '100000000') }}
        when amount_off_minor is not null
            then left_minor
                - coalesce({{ divide_half_up('least(amount_off_minor, whole_minor) * running_minor', 'whole_minor') }}, 0)
                + coalesce({{ divide_half_up(
                    'least(amount_off_minor, whole_minor) * (running_minor - left_minor)', 'whole_minor'
                ) }}, 0)
        else left_minor
    end
{%- endmacro %}
