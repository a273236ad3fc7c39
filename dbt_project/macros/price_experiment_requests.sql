{# What the price experiments ask of Stripe, as canonical JSON; the columns of every int_*_proposed. #}

{# A decimal as text without idle zeros. #}
{% macro decimal_text(amount) -%}
    rtrim(rtrim({{ as_text(amount) }}, '0'), '.')
{%- endmacro %}

{# A row of int_price_book_tiers as one of Stripe's tiers. #}
{% macro tier_of_stripe() -%}
    case
        {% for has_flat in [true, false] -%}
            {% for is_last in [true, false] -%}
                {%- set tier = {'unit_amount_decimal': decimal_text('unit_amount_decimal'),
                    'up_to': "'inf'" if is_last else 'cast(upper_bound as bigint)'} -%}
                {%- if has_flat -%}
                    {%- set tier = dict({'flat_amount_decimal': decimal_text('flat_amount_decimal')}, **tier) -%}
                {%- endif -%}
                when {{ '' if has_flat else 'not ' }}coalesce(flat_amount_decimal != 0, false)
                    and upper_bound is {{ '' if is_last else 'not ' }}null
                    then {{ as_json(tier) }}
            {% endfor %}
        {%- endfor %}
    end
{%- endmacro %}

{# The parameters of a new price: the terms of a book beside the product, meter, interval and tax of the price it stands for. #}
{% macro price_of_stripe(wanted, price, terms) -%}
    {%- set metadata = as_json({
        'experiment': wanted ~ '.experiment_id', 'replaces': wanted ~ '.price_id', 'variant': wanted ~ '.variant',
    }) -%}
    {%- set recurring = as_json({
        'interval': price ~ '.billing_interval', 'interval_count': price ~ '.interval_count',
        'meter': price ~ '.meter_id', 'usage_type': price ~ '.usage_type',
    }) -%}
    {%- set always = {'currency': wanted ~ '.currency', 'metadata': metadata, 'product': price ~ '.product_id',
        'recurring': recurring, 'tax_behavior': "coalesce(" ~ price ~ ".tax_behavior, 'unspecified')"} -%}
    case
        when {{ terms }}.rating_mode in ('graduated', 'volume') then {{ as_json_text(dict(
            {'billing_scheme': "'tiered'"}, **dict(always, tiers=terms ~ '.tiers', tiers_mode=terms ~ '.rating_mode')
        )) }}
        when {{ terms }}.rating_mode = 'per_unit' then {{ as_json_text(dict(
            {'billing_scheme': "'per_unit'"}, **dict(always, unit_amount_decimal=terms ~ '.unit_amount')
        )) }}
        else {{ as_json_text(dict({'billing_scheme': "'per_unit'"}, **dict(always,
            transform_quantity=as_json({
                'divide_by': terms ~ '.package_size',
                'round': "case " ~ terms ~ ".rating_mode when 'package_down' then 'down' else 'up' end",
            }),
            unit_amount_decimal=terms ~ '.unit_amount'
        ))) }}
    end
{%- endmacro %}

{# A select: the proposals that move customers, from rows of int_price_test_assignments_proposed. #}
{% macro price_test_proposals(valued) %}
    select
        account_id,
        'price_test_assignment' as kind,
        as_of,
        customer_id,
        subscription_id,
        cast(null as {{ text_type() }}) as source_event_id,
        subscription_item_id as subject_id,
        new_price_id as target_key,
        {{ date_text('starts_on') }} as period,
        currency,
        abs(change_minor) as amount_minor,
        {{ share_of('change_minor', 'cost_minor') }} as pct_change,
        change_minor as monthly_change_minor,
        {{ as_json_text({
            'items': json_of_one(as_json({'id': 'subscription_item_id', 'price': 'new_price_id'})),
            'metadata': as_json({'experiment': 'experiment_id', 'variant': 'variant'}),
            'proration_behavior': "'none'",
            'subscription': 'subscription_id',
        }) }} as params,
        {{ as_json_text({
            'currency': part_of_json('precondition', '$.currency'),
            'customer': part_of_json('precondition', '$.customer'),
            'items': part_of_json('precondition', '$.items'),
            'livemode': part_of_json('precondition', '$.livemode'),
            'metadata': as_json({'experiment': 'null', 'variant': 'null'}),
            'subscription': part_of_json('precondition', '$.subscription'),
            'subscription_status': part_of_json('precondition', '$.subscription_status'),
        }) }} as precondition,
        {{ as_json_text({
            'cost_minor': 'cost_minor',
            'ends_on': date_text('ends_on'),
            'experiment': 'experiment_id',
            'new_cost_minor': 'new_cost_minor',
            'new_price_id': 'new_price_id',
            'price_id': 'price_id',
            'starts_on': date_text('starts_on'),
            'variant': 'variant',
        }) }} as evidence,
        'price_test_assignment' as template,
        {{ as_json_text({
            'cost': money_to_text('cost_minor', 'currency', 'minor_unit_exponent'),
            'customer': 'customer',
            'ends_on': date_text('ends_on'),
            'experiment': 'experiment_id',
            'meter': 'meter',
            'new_cost': money_to_text('new_cost_minor', 'currency', 'minor_unit_exponent'),
            'starts_on': date_text('starts_on'),
            'variant': 'variant',
        }) }} as words,
        'price_experiments' as model_version,
        months * change_minor as expected_value_minor,
        least(months * change_minor, 0) as expected_value_low_minor,
        greatest(months * change_minor, 0) as expected_value_high_minor,
        cast(0.5 as {{ double_type() }}) as confidence,
        cast(abs(change_minor) as {{ double_type() }}) as urgency
    from {{ valued }}
{% endmacro %}
