"""The webhook receiver: verify, land once, answer 2xx; nothing else (docs/webhooks.md)."""
