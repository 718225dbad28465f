"""HTTP: routes, requests, answers, middleware."""
