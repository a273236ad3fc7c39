{# THE rule of prepaid credits (stripe.md 6.3): grants one after the other, each on what the ones before left of the
   metered lines that it is for, from the first invoice on that is due while it is valid.

   Gives CTEs, the last of them NAME_drawn: one row per line and grant that pays some of it, with drawn_minor.

   name: prefix of the CTEs.
   lines: a CTE with account_id, customer_id, currency, subscription_id, path, period_end, line_id, price_id and
       amount_minor (bigint).
   grants: a CTE shaped like int_credit_grants_live.
   most: grants of a customer and currency that are counted. #}
{% macro credit_steps(name, lines, grants, most) -%}
    {%- set columns = [
        'account_id', 'customer_id', 'currency', 'subscription_id', 'path', 'period_end', 'line_id', 'price_id',
    ] -%}
    {{ name }}_0 as (

        select
            {{ columns | join(',\n            ') }},
            amount_minor as left_minor,
            cast(null as {{ text_type() }}) as credit_grant_id,
            cast(0 as bigint) as drawn_minor
        from {{ lines }}

    ),

    {% for step in range(1, most + 1) -%}
        {{ name }}_{{ step }}_meant as (

            select
                before.*,
                spent.credit_grant_id as grant_id,
                spent.remaining_minor,
                case when spent.credit_grant_id is not null then greatest(before.left_minor, 0) else 0 end as meant_minor,
                sum(case when spent.credit_grant_id is not null then greatest(before.left_minor, 0) else 0 end) over (
                    partition by before.account_id, before.customer_id, before.currency, before.path
                    order by before.period_end, before.subscription_id, before.line_id
                    rows between unbounded preceding and current row
                ) as running_minor
            from {{ name }}_{{ step - 1 }} as before
            left join {{ grants }} as spent
                on
                    before.account_id = spent.account_id
                    and before.customer_id = spent.customer_id
                    and before.currency = spent.currency
                    and spent.place = {{ step }}
                    and coalesce(spent.effective_at <= before.period_end, true)
                    and coalesce(before.period_end < spent.expires_at, true)
                    and coalesce({{ is_in_list('before.price_id', 'spent.scope_price_ids') }}, true)

        ),

        {{ name }}_{{ step }} as (

            select
                {{ columns | join(',\n                ') }},
                left_minor - coalesce(
                    least(meant_minor, greatest(remaining_minor - (running_minor - meant_minor), 0)), 0
                ) as left_minor,
                grant_id as credit_grant_id,
                cast(coalesce(
                    least(meant_minor, greatest(remaining_minor - (running_minor - meant_minor), 0)), 0
                ) as bigint) as drawn_minor
            from {{ name }}_{{ step }}_meant

        ),

    {% endfor -%}
    {{ name }}_drawn as (

        {% for step in range(1, most + 1) -%}
            select * from {{ name }}_{{ step }} where drawn_minor > 0
            {{ 'union all' if not loop.last }}
        {% endfor %}

    )
{%- endmacro %}

{# In a select list: amounts for people, in minor units where the seed currencies does not have the currency. `slots` maps
   a column's name to an expression. #}
{% macro amounts_to_text(slots, currency, exponent) -%}
    {%- for slot, amount in slots.items() -%}
        coalesce(
            {{ money_to_text('(' ~ amount ~ ')', currency, exponent) }},
            {{ as_text(amount) }} || ' minor units of ' || upper({{ currency }}),
            'an unknown amount'
        ) as {{ slot }}{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
