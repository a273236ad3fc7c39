{# Each tier as what it charges: its units, and its flat amount where it has one. Steps are numbered here, once a price:
   a graduated price enters its tiers in order, a volume price one of them. `tiers` as for `rate`. #}
{% macro price_steps(tiers=none) %}

    select
        *,
        cast(
            case
                when rating_mode != 'volume'
                    then row_number() over (
                        partition by account_id, price_id, currency
                        order by tier_index, is_flat_fee
                    )
                when is_flat_fee then 2
                else 1
            end as integer
        ) as step_number
    from (
        select
            account_id,
            price_id,
            currency,
            rating_mode,
            package_size,
            tier_index,
            false as is_flat_fee,
            lower_bound,
            upper_bound,
            unit_amount_decimal,
            billed_multiple_of
        from {{ tiers or ref('int_price_tiers') }}
        union all
        select
            account_id,
            price_id,
            currency,
            rating_mode,
            package_size,
            tier_index,
            true as is_flat_fee,
            lower_bound,
            upper_bound,
            flat_amount_decimal as unit_amount_decimal,
            billed_multiple_of
        from {{ tiers or ref('int_price_tiers') }}
        where coalesce(flat_amount_decimal != 0, true)
    ) as charges

{% endmacro %}

{# An aggregate over steps: what they cost together; null where one of them has no amount. #}
{% macro sum_of_steps() -%}
    case when count(*) = count(amount_minor) then cast(sum(amount_minor) as bigint) end
{%- endmacro %}

{# The most that one step may cost, in minor units: Stripe bills 12 digits at most, and thousands of such steps still
   add up within a bigint. #}
{% macro largest_amount_minor() -%}
    1000000000000000
{%- endmacro %}

{# Whether quantity x price is no more than that, told by whole numbers above both, whose product always fits. #}
{% macro fits_an_amount(quantity, unit_amount) -%}
    cast(ceil({{ quantity }}) as decimal(38, 0)) * cast(ceil(abs({{ unit_amount }})) as decimal(13, 0))
    <= {{ largest_amount_minor() }}
{%- endmacro %}

{# An exact amount as a bigint, halves away from zero, in multiples of 1, 10 or 100: what the currency is billed in. #}
{% macro rounded_amount(amount, multiple) -%}
    cast(
        case {{ multiple }}
            when 10 then round({{ amount }}, -1)
            when 100 then round({{ amount }}, -2)
            else round({{ amount }}, 0)
        end as bigint
    )
{%- endmacro %}

{# Packages of `package_size` in a quantity, exactly: counted in millionths, as floor(a / b) = round((2a - b + 1) / 2b)
   and ceil(a / b) = round((2a + b - 1) / 2b) for whole a >= 0 and b > 0, because decimal division is floating. #}
{% macro whole_packages(quantity, package_size, round_up) -%}
    {%- set units = 'cast(cast(' ~ quantity ~ ' as decimal(38, 6)) * 1000000 as decimal(38, 0))' -%}
    {%- set size = 'cast(1000000 as decimal(19, 0)) * ' ~ package_size -%}
    {{ divide_half_up(
        '2 * ' ~ units ~ (' + ' if round_up else ' - ') ~ size ~ (' - 1' if round_up else ' + 1'),
        '2 * ' ~ size
    ) }}
{%- endmacro %}
