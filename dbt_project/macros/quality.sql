{# A select: what each of `checks` finds, one row per account and check with any: check_name, rows_affected, example_id.

   A check is a mapping:
       name     its row in the seed data_quality_checks
       of       the relation or CTE that is looked at, with account_id; its alias is `looked_at`
       id       the column that names a row
       where    which rows are wrong; all, if it is not given
       lacks    a relation in which these rows have no parent (a null has none), or
       meets    one in which they have; its alias is `parent`
       by       the columns that both share besides account_id, or {column here: column there}
       alone    true: the other relation has no account_id
       parent   a condition on the parent
       rows     a column that counts what the row stands for #}
{% macro findings_of(checks) -%}
    {% for check in checks -%}
        {%- set other = check.lacks or check.meets %}
        select
            looked_at.account_id,
            '{{ check.name }}' as check_name,
            cast({{ 'sum(looked_at.' ~ check.rows ~ ')' if check.rows else 'count(*)' }} as bigint) as rows_affected,
            min(looked_at.{{ check.id }}) as example_id
        from {{ check.of }} as looked_at
        where
            ({{ check.where or 'true' }})
            {%- if other %}
            and {{ 'not ' if check.lacks }}exists (
                select 1
                from {{ other }} as parent
                where
                    {%- for here, there in (check.by.items() if check.by is mapping else dict(zip(check.by, check.by)).items()) %}
                    {{ 'and ' if not loop.first }}looked_at.{{ here }} = parent.{{ there }}
                    {%- endfor %}
                    {{ 'and looked_at.account_id = parent.account_id' if not check.alone }}
                    {{ 'and ' ~ check.parent if check.parent }}
            )
            {%- endif %}
        group by looked_at.account_id
        {{ 'union all' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
