# Everything a person or CI runs. `make` alone lists the targets.
# Settings of .env (NAME=value lines) count where the environment says nothing.
ENV_FILE ?= .env
$(foreach line,$(shell sed -n "s/^\([A-Z_]*=[^ ]\{1,\}\) *$$/\1/p" "$(ENV_FILE)" 2>/dev/null | tr -d "\"'"),\
  $(eval export $(firstword $(subst =, ,$(line))) ?= $(patsubst $(firstword $(subst =, ,$(line)))=%,%,$(line))))

# Telemetry of every tool is off; Python may keep the bytecode it compiles (set-up compiles the packages once).
export PYTHONDONTWRITEBYTECODE :=
export DO_NOT_TRACK := true
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export MLFLOW_DISABLE_TELEMETRY := true
export RUNTIME__DLTHUB_TELEMETRY := false
# The state folder, absolute: dbt changes its working folder, so a relative one would mean two places.
override METERWISE_DATA := $(abspath $(or $(METERWISE_DATA),data))
export METERWISE_DATA
export DBT_TARGET_PATH := $(METERWISE_DATA)/dbt
export DBT_LOG_PATH := $(METERWISE_DATA)/logs

# A Python that will do, and uv: the one installed, or one booted into a venv of its own.
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 && command -v "$$p" && break; done)
UV := $(shell command -v uv || echo .boot/bin/uv)
export UV_PYTHON_DOWNLOADS := never
PY := .venv/bin/python
DBT := .venv/bin/dbt
DBT_AT := --project-dir dbt_project --profiles-dir dbt_project
# Without a Stripe key every command that talks to Stripe runs inside the bundled sandbox.
# (Exit code 3, nothing to do, is no failure of a target.)
WITH_STRIPE := $(if $(STRIPE_API_KEY)$(SOURCES__STRIPE__STRIPE_SECRET_KEY)$(shell grep -s "^stripe_secret_key *=" .dlt/secrets.toml),,$(PY) -m sandbox exec --)

.DEFAULT_GOAL := help
.PHONY: help setup run load build train score detect alerts recommend charts publish summary why plan show approve decline apply status doctor log audit sandbox advance \
  webhooks watch usage-log exports backup restore freshness notebook ui docs bench-sandbox soak-sandbox bench-load soak-load \
  soak-webhooks bench-run bench-ml bench-warehouse bench-actions soak-actions bench-advice test-metrics lint lint-python lint-sql lint-manifest format types test clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: .venv/.stamp ## make the environment (.venv) from uv.lock

.boot/bin/uv:
	@[ -n "$(PYTHON)" ] || { echo "meterwise needs Python 3.11, 3.12 or 3.13 and found $$(python3 --version 2>&1): install one (Debian: apt-get install python3.11 python3.11-venv) and run make again." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv) and run make again." >&2; exit 1; }
	@rm -rf .boot && "$(PYTHON)" -m venv .boot && .boot/bin/pip -q --disable-pip-version-check install 'uv>=0.9,<1'

.venv/.stamp: uv.lock pyproject.toml $(if $(findstring .boot,$(UV)),.boot/bin/uv)
	@[ -n "$(PYTHON)" ] || { echo "meterwise needs Python 3.11, 3.12 or 3.13 and found $$(python3 --version 2>&1): install one (Debian: apt-get install python3.11 python3.11-venv) and run make again." >&2; exit 1; }
	@echo "setting up .venv (once)" >&2
	@UV_COMPILE_BYTECODE=1 UV_PYTHON="$(PYTHON)" $(UV) sync --frozen --quiet
	@touch $@

run: setup ## the whole loop: load, build, train, score, recommend, publish, summary
	@$(WITH_STRIPE) $(PY) -m dlt_pipelines run

load: setup ## Stripe (or the sandbox) into the schema raw_stripe
	@$(WITH_STRIPE) $(PY) -m dlt_pipelines load

build: setup ## dbt: staging, features and marts, with their tests (FULL=1: anew)
	@$(PY) -m dlt_pipelines build $(if $(FULL),--full-refresh)

train: setup ## fit the models again and let the better one become champion
	@$(PY) -m ml train

score: setup ## forecasts and risk scores by the champions
	@$(PY) -m ml score

detect: setup ## judge the newest days of usage
	@$(PY) -m ml detect || [ $$? -eq 3 ]

alerts: setup ## what changed in the alerts, into DATA/alerts.jsonl
	@$(PY) -m ml alerts || [ $$? -eq 3 ]

recommend: setup ## dbt: forecasts, risks and recommendations as marts
	@$(DBT) build $(DBT_AT) --select tag:after_ml

publish: setup ## replace the read-only copy of the marts in one step
	@$(PY) -m dlt_pipelines publish

charts: setup ## draw forecasts: one picture a customer (CUSTOMER=cus_… for one), one of revenue
	@$(PY) -m ml charts $(if $(CUSTOMER),--customer "$(CUSTOMER)")

summary: setup ## print the last run's summary again
	@$(PY) -m dlt_pipelines summary

why: setup ## what drove a customer's usage and bill: CUSTOMER=cus_… (DAY=2026-10-27, INVOICE=in_…)
	@$(PY) -m dlt_pipelines why "$(CUSTOMER)" $(if $(DAY),--day "$(DAY)") $(if $(INVOICE),--invoice "$(INVOICE)")

plan: setup ## turn recommendations into plans a person can approve (EXPECT=n past the brake; UNDO=… REASON=… takes an action back)
	@$(PY) -m actions plan $(if $(EXPECT),--expect $(EXPECT)) $(if $(UNDO),--undo $(UNDO) --reason "$(REASON)") || [ $$? -eq 3 ]

show: setup ## what is planned, approved, done; ID=… for all about one
	@$(PY) -m actions show $(ID)

approve: setup ## approve a plan as it is now: ID=… REASON=…
	@$(PY) -m actions approve $(ID) --reason "$(REASON)"

decline: setup ## decline a plan: ID=… REASON=…
	@$(PY) -m actions decline $(ID) --reason "$(REASON)"

apply: setup ## rehearse approved actions; SEND=1 carries them out (LIVE=1 with a live key)
	@$(WITH_STRIPE) $(PY) -m actions apply $(ID) $(if $(SEND),--send) $(if $(LIVE),--live) || [ $$? -eq 3 ]

status: setup ## actions by state, what is stuck, phases, whether runners are halted
	@$(PY) -m actions status

doctor: setup ## keys, account, clock, files: what would make the runner fail or unsafe
	@$(WITH_STRIPE) $(PY) -m actions doctor

log: setup ## the ledger: every step of every action
	@$(PY) -m actions log

audit: setup ## check the ledger's chain and load it into the mart action_audit
	@$(PY) -m actions audit verify || [ $$? -eq 3 ]
	@$(PY) -m dlt_pipelines ledger
	@$(DBT) build $(DBT_AT) --select +action_audit --exclude-resource-type seed
	@$(PY) -m dlt_pipelines publish

sandbox: setup ## serve the sandbox until interrupted (its address is printed)
	@$(PY) -m sandbox serve

advance: setup ## let DAYS=35 days pass in the sandbox
	@$(PY) -m sandbox advance --days $(or $(DAYS),35)

webhooks: setup ## receive Stripe's webhooks on 127.0.0.1 (PORT=8000) until interrupted
	@$(PY) -m dlt_pipelines webhooks --port $(or $(PORT),8000)

watch: setup ## load, build and detect when a webhook landed, and every hour
	@$(WITH_STRIPE) $(PY) -m dlt_pipelines watch

usage-log: setup ## land meter events from FILES="…" (Parquet, CSV, JSONL) in raw_usage
	@$(PY) -m dlt_pipelines usage-log $(FILES)

exports: setup ## tie out CSV exports of Stripe's reports or Sigma: FILES="…"
	@$(PY) -m dlt_pipelines exports $(FILES)

backup: setup ## all that cannot be loaded again, in one file (TO=…)
	@$(PY) -m dlt_pipelines backup $(if $(TO),--to "$(TO)")

restore: setup ## a backup into an empty state folder: FROM=…
	@$(PY) -m dlt_pipelines restore "$(FROM)"

freshness: setup ## warn when the last load is over a day old, fail after three
	@$(DBT) source freshness $(DBT_AT)

notebook: setup ## execute the notebooks into build/
	@$(PY) -m notebooks

ui: setup ## browse models and runs in MLflow on http://127.0.0.1:5000
	@.venv/bin/mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///$(METERWISE_DATA)/mlflow.db

docs: setup ## dbt's documentation as one page: DATA/docs/index.html
	@$(DBT) docs generate --static $(DBT_AT) --target-path "$(METERWISE_DATA)/docs/dbt"
	@sed 's|$(METERWISE_DATA)/||g' "$(METERWISE_DATA)/docs/dbt/static_index.html" > "$(METERWISE_DATA)/docs/index.html"

bench-sandbox: setup ## time seeding, list pages and a restart of the sandbox
	@$(PY) -m tests.benches.sandbox

soak-sandbox: setup ## let Hypothesis try the sandbox's books for some minutes
	@METERWISE_SOAK_EXAMPLES=150 $(PY) -m pytest tests/sandbox/test_invariants.py

bench-load: setup ## time and weigh loads against a bare walk and dlt's default (ONLY=… for one of them)
	@$(PY) -m tests.benches.load $(if $(ONLY),--only $(ONLY))

soak-load: setup ## change, break and kill loads at random for some minutes
	@METERWISE_SOAK_EXAMPLES=30 METERWISE_SOAK_KILLS=100 $(PY) -m pytest tests/dlt_pipelines/test_changes.py tests/dlt_pipelines/test_killed.py

soak-webhooks: setup ## kill the webhook receiver 100 times between commit and answer
	@METERWISE_SOAK_KILLS=100 $(PY) -m pytest tests/dlt_pipelines/test_webhooks_killed.py

bench-run: setup ## time a first and a second run in an empty state folder
	@$(PY) -m dlt_pipelines bench-run

bench-ml: setup ## score forecasts on NN5, made-up panels and sandboxes, and time scoring (ONLY=… for one of them)
	@$(PY) -m tests.benches.ml $(if $(ONLY),--only $(ONLY))

bench-warehouse: setup ## time and weigh the dbt passes, at 10 million usage rows too (ONLY=100m for 100 million)
	@$(PY) -m tests.benches.warehouse $(if $(ONLY),--only $(ONLY))

bench-actions: setup ## time the runner: verify 100,000 events, plan 10,000 recommendations, start
	@$(PY) -m tests.benches.actions

soak-actions: setup ## kill the runner 400 times over every fault, and send 20,000 actions with full fsync
	@$(PY) -m tests.benches.actions --soak

bench-advice: setup ## time recommendations for 100,000 customers and price scenarios (ONLY=value, opportunities, credits or experiments: against the sandbox's truth)
	@$(PY) -m tests.benches.advice $(if $(ONLY),--only $(ONLY))

test-metrics: setup ## query every metric with MetricFlow and compare it with the marts
	@UV_COMPILE_BYTECODE=1 UV_PYTHON="$(PYTHON)" $(UV) sync --frozen --quiet --group bi
	@$(PY) -m pytest -p no:xdist tests/metrics/with_metricflow.py

lint: setup ## format, lint, types, SQL lint, and the dbt project's manifest
	@$(MAKE) --no-print-directory -j 3 lint-python lint-sql lint-manifest

# The parts of lint, side by side: the SQL takes longest, the types keep one core only.
lint-python:
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy

# (The models of staging/ml are a call of score_source, whose macros hand values to each other in a way sqlfluff does not know.)
lint-sql:
	@find dbt_project/models -name '*.sql' -not -path '*/staging/ml/*' | xargs -P 2 -n 60 .venv/bin/sqlfluff lint -p 1 --disable-progress-bar

lint-manifest:
	@$(DBT) --quiet parse $(DBT_AT) --target-path "$(abspath build/manifest)" --log-path "$(abspath build/manifest)" && COLUMNS=160 .venv/bin/dbt-bouncer run

format: setup ## format the Python files
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

test: setup lint ## lint, then every test
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

clean: ## remove the environment and build/ (never the state folder)
	@rm -rf .venv .boot build
