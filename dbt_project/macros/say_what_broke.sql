{# After a build or test: of each data test that failed or warned and says what is `broken`, the rules and how many rows
   break them. dbt itself gives the test's name and one number. #}
{% macro say_what_broke(results) %}
    {% for result in results if result.status in ('fail', 'warn') and result.node.test_metadata is defined %}
        {% if result.node.test_metadata.name in ('holds', 'is_key', 'refers_to') %}
            {% set counted %}
                select broken, count(*) as rows_found
                from ({{ result.node.compiled_code }}) as failing
                group by broken
                order by rows_found desc, broken
                limit 10
            {% endset %}
            {% for row in run_query(counted).rows %}
                {% do log(row[1] ~ ' of ' ~ result.node.name ~ ': ' ~ row[0], info=true) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
{% endmacro %}
